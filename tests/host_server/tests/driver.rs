//! A driver that speaks the extended protocol in binary.

use futures_util::{SinkExt, TryStreamExt};
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

async fn connect() -> Client {
    let port = host_server::start();
    let config = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Nothing here may hang.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), test)
            .await
            .expect("the test ends in time");
    });
}

#[test]
fn values_go_there_and_back_in_binary() {
    run(async {
        let client = connect().await;
        let row = client
            .query_one(
                "SELECT $1::int4, $2::int8, $3::text, $4::bool, $5::float8, $6::int4[]",
                &[&7i32, &-8i64, &"nine", &true, &1.5f64, &vec![1i32, 2, 3]],
            )
            .await
            .unwrap();
        assert_eq!(row.get::<_, i32>(0), 7);
        assert_eq!(row.get::<_, i64>(1), -8);
        assert_eq!(row.get::<_, &str>(2), "nine");
        assert!(row.get::<_, bool>(3));
        assert_eq!(row.get::<_, f64>(4), 1.5);
        assert_eq!(row.get::<_, Vec<i32>>(5), [1, 2, 3]);
    });
}

#[test]
fn a_prepared_statement_survives_a_change_of_its_table() {
    run(async {
        let client = connect().await;
        client
            .batch_execute(
                "CREATE TABLE replan (a int PRIMARY KEY, b text); INSERT INTO replan VALUES (1, 'x')",
            )
            .await
            .unwrap();
        let statement = client
            .prepare("SELECT b FROM replan WHERE a = $1")
            .await
            .unwrap();
        let rows = client.query(&statement, &[&1i32]).await.unwrap();
        assert_eq!(rows[0].get::<_, &str>(0), "x");
        client
            .batch_execute("ALTER TABLE replan ADD COLUMN c int; UPDATE replan SET b = 'y'")
            .await
            .unwrap();
        let rows = client.query(&statement, &[&1i32]).await.unwrap();
        assert_eq!(rows[0].get::<_, &str>(0), "y");
        let error = client.query(&statement, &[&"no number"]).await;
        assert!(error.is_err());
        client.batch_execute("DROP TABLE replan").await.unwrap();
        let error = client.query(&statement, &[&1i32]).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::UNDEFINED_TABLE));
    });
}

#[test]
fn portals_give_rows_in_portions() {
    run(async {
        let mut client = connect().await;
        let transaction = client.transaction().await.unwrap();
        let portal = transaction
            .bind("SELECT * FROM generate_series(1, 10)", &[])
            .await
            .unwrap();
        let mut seen = Vec::new();
        loop {
            let rows = transaction.query_portal(&portal, 4).await.unwrap();
            if rows.is_empty() {
                break;
            }
            seen.push(rows.len());
        }
        assert_eq!(seen, [4, 4, 2]);
        transaction.commit().await.unwrap();
    });
}

#[test]
fn transactions_roll_back_and_savepoints_nest() {
    run(async {
        let mut client = connect().await;
        client
            .batch_execute("CREATE TABLE nest (a int)")
            .await
            .unwrap();
        let mut outer = client.transaction().await.unwrap();
        outer
            .execute("INSERT INTO nest VALUES (1)", &[])
            .await
            .unwrap();
        {
            let inner = outer.transaction().await.unwrap();
            inner
                .execute("INSERT INTO nest VALUES (2)", &[])
                .await
                .unwrap();
            let error = inner.query("SELECT 1 / 0", &[]).await.unwrap_err();
            assert_eq!(error.code(), Some(&SqlState::DIVISION_BY_ZERO));
            let error = inner.query("SELECT 1", &[]).await.unwrap_err();
            assert_eq!(error.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
            inner.rollback().await.unwrap();
        }
        outer
            .execute("INSERT INTO nest VALUES (3)", &[])
            .await
            .unwrap();
        outer.commit().await.unwrap();
        let rows = client
            .query("SELECT a FROM nest ORDER BY a", &[])
            .await
            .unwrap();
        let values: Vec<i32> = rows.iter().map(|r| r.get(0)).collect();
        assert_eq!(values, [1, 3]);
    });
}

#[test]
fn copy_goes_both_ways() {
    run(async {
        let client = connect().await;
        client
            .batch_execute("CREATE TABLE copied (a int, b text)")
            .await
            .unwrap();
        let sink = client.copy_in("COPY copied FROM STDIN").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        for piece in [&b"1\tone\n2\t"[..], b"two\n3\t\\N\n"] {
            sink.send(bytes::Bytes::from_static(piece)).await.unwrap();
        }
        assert_eq!(sink.finish().await.unwrap(), 3);
        let stream = client.copy_out("COPY copied TO STDOUT").await.unwrap();
        let pieces: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), b"1\tone\n2\ttwo\n3\t\\N\n");
        let sink = client.copy_in("COPY copied FROM STDIN").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        sink.send(bytes::Bytes::from_static(b"nonsense\n"))
            .await
            .unwrap();
        assert!(sink.finish().await.is_err());
        let count = client.query_one("SELECT count(*) FROM copied", &[]).await;
        assert_eq!(count.unwrap().get::<_, i64>(0), 3);
    });
}

#[test]
fn a_statement_can_be_cancelled() {
    run(async {
        let client = connect().await;
        let token = client.cancel_token();
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            token.cancel_query(NoTls).await.unwrap();
        };
        let (error, ()) = tokio::join!(client.simple_query("SELECT pg_sleep(50)"), cancel);
        assert_eq!(error.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
        client
            .simple_query("SET statement_timeout = '100ms'")
            .await
            .unwrap();
        let error = client
            .simple_query("SELECT pg_sleep(50)")
            .await
            .unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code(), &SqlState::QUERY_CANCELED);
        assert!(error.message().contains("statement timeout"));
    });
}

#[test]
fn pipelined_queries_answer_in_order() {
    run(async {
        let client = connect().await;
        let one = client.query_one("SELECT 1", &[]);
        let bad = client.query_one("SELECT nothing", &[]);
        let two = client.query_one("SELECT 2", &[]);
        let (one, bad, two) = tokio::join!(one, bad, two);
        assert_eq!(one.unwrap().get::<_, i32>(0), 1);
        assert_eq!(bad.unwrap_err().code(), Some(&SqlState::UNDEFINED_COLUMN));
        assert_eq!(two.unwrap().get::<_, i32>(0), 2);
    });
}

#[test]
fn a_text_of_several_statements_is_one_transaction() {
    run(async {
        let client = connect().await;
        client
            .batch_execute("CREATE TABLE several (a int)")
            .await
            .unwrap();
        let failed = client
            .simple_query("INSERT INTO several VALUES (1); INSERT INTO several VALUES (1/0)")
            .await;
        assert!(failed.is_err());
        let answer = client
            .simple_query("SELECT count(*) FROM several; INSERT INTO several VALUES (2)")
            .await
            .unwrap();
        let count = answer.iter().find_map(|m| match m {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        assert_eq!(count, Some("0"));
        let row = client.query_one("SELECT count(*) FROM several", &[]).await;
        assert_eq!(row.unwrap().get::<_, i64>(0), 1);
    });
}
