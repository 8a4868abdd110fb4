//! psql and pgbench, where they are installed.

mod psql;

use psql::{check, psql, tool};
use std::process::Stdio;

#[test]
fn psql_runs_a_script() {
    check(
        "CREATE TABLE script (a serial PRIMARY KEY, b text DEFAULT 'd');
         INSERT INTO script (b) VALUES ('x'), (DEFAULT) RETURNING a, b;
         BEGIN; DELETE FROM script; ROLLBACK;
         SELECT count(*) FROM script;
         PREPARE p AS SELECT b FROM script WHERE a = $1; EXECUTE p(1); DEALLOCATE p;
         BEGIN; DECLARE c CURSOR FOR SELECT a FROM script ORDER BY a DESC;
         FETCH 1 FROM c; FETCH 1 FROM c; FETCH 1 FROM c; COMMIT;
         COPY script TO STDOUT WITH (FORMAT csv);
         SET datestyle = 'german'; SELECT date '2024-03-05'; RESET datestyle;
         SHOW datestyle;",
        "1|x\n2|d\n2\nx\n2\n1\n1,x\n2,d\n05.03.2024\nISO, MDY",
    );
}

#[test]
fn psql_loads_data_in_line() {
    check(
        "CREATE TABLE loaded (a int, b text);
COPY loaded FROM STDIN;
1\tone
2\t\\N
\\.
SELECT * FROM loaded ORDER BY a;",
        "1|one\n2|",
    );
}

#[test]
fn psql_shows_errors_with_their_fields() {
    let Some(printed) = psql(
        "CREATE TABLE fields (a int CONSTRAINT positive CHECK (a > 0));
         INSERT INTO fields VALUES (-1);
         \\echo :LAST_ERROR_SQLSTATE
         SELEKT 1;
         SET nonsense = 1;",
    ) else {
        return;
    };
    for part in [
        "23514",
        "violates check constraint \"positive\"",
        "DETAIL:  Failing row contains (-1).",
        "syntax error at or near \"SELEKT\"",
        "unrecognized configuration parameter \"nonsense\"",
    ] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
}

#[test]
fn psql_describes_a_table() {
    let Some(printed) = psql(
        "CREATE TABLE described (a int PRIMARY KEY, b numeric(10,2) NOT NULL);
         \\t off
         \\d described",
    ) else {
        return;
    };
    for part in [
        "a|integer||not null|",
        "b|numeric(10,2)||not null|",
        "described_pkey",
    ] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
}

#[test]
fn pgbench_loses_no_transaction() {
    let Some(mut init) = tool("pgbench") else {
        return;
    };
    let status = init
        .args(["-i", "-q", "-s", "1"])
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    for mode in ["simple", "extended", "prepared"] {
        let mut command = tool("pgbench").expect("it was there");
        command.args(["-n", "-c", "3", "-t", "40", "-M", mode]);
        let output = command.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{printed}");
        assert!(printed.contains("actually processed: 120/120"), "{printed}");
    }
    check(
        "SELECT count(*), sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts),
                sum(delta) = (SELECT sum(bbalance) FROM pgbench_branches)
         FROM pgbench_history;",
        "360|t|t",
    );
}
