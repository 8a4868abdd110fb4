//! COPY in both directions.

use execution::plans::*;
use execution::*;
use pg_executor_port::{CopySink, EXECUTOR};
use pg_plan::{Copy, CopyFormat, CopyHeader, CopyOptions, CopySource, Relation};
use pg_types::SqlError;
use std::sync::Arc;

#[derive(Default)]
struct Text(Vec<u8>);

impl CopySink for Text {
    fn data(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn csv() -> CopyOptions {
    CopyOptions {
        format: CopyFormat::Csv,
        ..CopyOptions::default()
    }
}

/// Feeds `data` in chunks of `chunk` bytes.
fn copy_in(
    session: &mut Session,
    t: &Arc<Relation>,
    options: CopyOptions,
    data: impl AsRef<[u8]>,
    chunk: usize,
) -> Result<u64, SqlError> {
    let source = CopySource::From {
        relation: t.clone(),
        columns: vec![0, 1, 2],
        insert: insert(t, &[]),
    };
    let mut copy = EXECUTOR
        .enter()
        .unwrap()
        .copy_in(&Copy { source, options })?;
    session.tx.start_command().unwrap();
    for bytes in data.as_ref().chunks(chunk) {
        if copy.push(bytes) {
            copy.work(&mut session.exec(&[]))?;
        }
    }
    copy.finish(&mut session.exec(&[]))
}

fn text_out(session: &mut Session, t: &Arc<Relation>, options: CopyOptions) -> String {
    String::from_utf8(copy_out(session, t, options)).expect("UTF-8")
}

fn copy_out(session: &mut Session, t: &Arc<Relation>, options: CopyOptions) -> Vec<u8> {
    let copy = Copy {
        source: CopySource::To(scan(t)),
        options,
    };
    let mut copy = EXECUTOR.enter().unwrap().copy_out(&copy).unwrap();
    session.tx.start_command().unwrap();
    let mut out = Text::default();
    copy.run(&mut session.exec(&[]), &mut out).unwrap();
    out.0
}

#[test]
fn text_goes_in_and_out_unchanged() {
    let _alone = alone();
    let _db = database();
    let data = "1\t10\tplain\n2\t\\N\ttab\\tline\\nback\\\\slash\n3\t30\t\\N\n4\t40\t\n";
    for chunk in [1, 7, 1000] {
        let t = table(200 + chunk as u32 * 10);
        create(&t);
        let mut session = Session::begin();
        assert_eq!(
            copy_in(&mut session, &t, CopyOptions::default(), data, chunk).unwrap(),
            4
        );
        assert_eq!(text_out(&mut session, &t, CopyOptions::default()), data);
        assert_eq!(
            session.rows(&by_key(&t, int(2), false)),
            ["2,null,tab\tline\nback\\slash"]
        );
    }
}

#[test]
fn csv_goes_in_and_out_unchanged() {
    let _alone = alone();
    let _db = database();
    let data =
        "1,10,plain\n2,,\"a \"\"quoted\"\", value\"\n3,30,\"two\nlines\"\n4,40,\"\"\n5,50,\n";
    for chunk in [1, 7, 1000] {
        let t = table(20_000 + chunk as u32 * 10);
        create(&t);
        let mut session = Session::begin();
        assert_eq!(copy_in(&mut session, &t, csv(), data, chunk).unwrap(), 5);
        assert_eq!(text_out(&mut session, &t, csv()), data);
        assert_eq!(session.rows(&by_key(&t, int(5), false)), ["5,50,null"]);
        assert_eq!(session.rows(&by_key(&t, int(4), false)), ["4,40,"]);
    }
}

#[test]
fn headers_ends_and_strange_delimiters() {
    let _alone = alone();
    let _db = database();
    let t = table(40_000);
    create(&t);
    let mut session = Session::begin();
    let options = CopyOptions {
        header: CopyHeader::Match,
        delimiter: Some('|'),
        null: Some("-".into()),
        ..csv()
    };
    let data = "a|b|c\r\n1|-|x\r\n2|2|\"-\"";
    assert_eq!(
        copy_in(&mut session, &t, options.clone(), data, 5).unwrap(),
        2
    );
    assert_eq!(
        text_out(&mut session, &t, options.clone()),
        "c|c|c\n1|-|x\n2|2|\"-\"\n"
    );
    let error = copy_in(&mut session, &t, options, "a|x|c\n", 5).unwrap_err();
    assert_eq!(
        error.message(),
        "column name mismatch in header line field 2: got \"x\", expected \"b\""
    );
    let data = "7\t7\tlast\n\\.\nnot data at all";
    assert_eq!(
        copy_in(&mut session, &t, CopyOptions::default(), data, 3).unwrap(),
        1
    );
}

#[test]
fn errors_name_the_line() {
    let _alone = alone();
    let _db = database();
    let t = table(41_000);
    create(&t);
    let cases = [
        (
            "1\t1\n",
            "22P04",
            "missing data for column \"c\"",
            "COPY t, line 1",
        ),
        (
            "1\t1\tx\n2\t2\tx\ty\n",
            "22P04",
            "extra data after last expected column",
            "COPY t, line 2",
        ),
        (
            "1\t1\tx\n2\tzwei\tx\n",
            "22P02",
            "invalid input syntax for type integer: \"zwei\"",
            "COPY t, line 2, column b: \"zwei\"",
        ),
        (
            "\\N\t1\tx\n",
            "23502",
            "null value in column \"a\" of relation \"t\" violates not-null constraint",
            "COPY t, line 1",
        ),
    ];
    for (data, code, message, context) in cases {
        let mut session = Session::begin();
        let error = copy_in(&mut session, &t, CopyOptions::default(), data, 100).unwrap_err();
        let fields = error.fields();
        assert_eq!(
            (
                error.code().code(),
                error.message(),
                fields.context.as_deref()
            ),
            (code, message, Some(context))
        );
    }
}

#[test]
fn many_rows_keep_their_index() {
    let _alone = alone();
    let _db = database();
    let t = table(42_000);
    create(&t);
    let data: String = (0..5000)
        .map(|i| format!("{i}\t{}\trow {i}\n", i * 2))
        .collect();
    let mut session = Session::begin();
    assert_eq!(
        copy_in(&mut session, &t, CopyOptions::default(), &data, 8192).unwrap(),
        5000
    );
    assert_eq!(
        session.rows(&by_key(&t, int(4321), false)),
        ["4321,8642,row 4321"]
    );
    assert_eq!(
        rows::check_index(rows::FileId::new(42_001, rows::Fork::Main)),
        5000
    );
    let error = copy_in(&mut session, &t, CopyOptions::default(), "17\t1\tx\n", 100).unwrap_err();
    assert_eq!(error.code().code(), "23505");
}

#[test]
fn binary_goes_in_and_out_unchanged() {
    let _alone = alone();
    let _db = database();
    let binary = || CopyOptions {
        format: CopyFormat::Binary,
        ..CopyOptions::default()
    };
    let (from, to) = (table(43_000), table(43_010));
    create(&from);
    create(&to);
    let mut session = Session::begin();
    let text = "1\t10\tplain\n2\t\\N\t\n3\t30\t\\N\n";
    copy_in(&mut session, &from, CopyOptions::default(), text, 100).unwrap();
    let data = copy_out(&mut session, &from, binary());
    assert!(data.starts_with(b"PGCOPY\n\xff\r\n\0"));
    assert!(data.ends_with(&[0xff, 0xff]));
    assert_eq!(copy_in(&mut session, &to, binary(), &data, 3).unwrap(), 3);
    assert_eq!(text_out(&mut session, &to, CopyOptions::default()), text);
    let cut = &data[..data.len() - 2];
    let error = copy_in(&mut session, &to, binary(), cut, 1000).unwrap_err();
    assert_eq!(error.code().code(), "23505");
    let t = table(43_020);
    create(&t);
    let error = copy_in(&mut session, &t, binary(), cut, 1000).unwrap_err();
    assert_eq!(error.message(), "unexpected EOF in COPY data");
    let error = copy_in(&mut session, &t, binary(), "not a copy file at all", 1000).unwrap_err();
    assert_eq!(error.message(), "COPY file signature not recognized");
}
