//! Callers who take their time, or all places.

use crate::caller::{Answer, read_answer};
use crate::collector::{Collector, Setup, TOKEN};
use crate::event_list::{event, list};
use crate::publisher::Publisher;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a request over an open connection, and reads the answer.
pub async fn exchange(
    connection: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> io::Result<Answer> {
    connection.write_all(request).await?;
    connection.flush().await?;
    read_answer(connection).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_and_says_nothing_keeps_no_api_server_out() {
    let publisher = Publisher::start();
    let setup = Setup::new().with("  maximum_connections: 8");
    let collector = Collector::start(setup, &publisher).await;
    let mut silent = vec![];
    for _ in 0..100 {
        // Some never begin a handshake, others end it and begin a head that never ends.
        silent.push(TcpStream::connect(collector.address).await.unwrap());
    }
    let mut slow = vec![];
    for _ in 0..20 {
        if let Ok(mut connection) = collector.stranger().connect().await {
            let _ = connection.write_all(b"POST /audit HTTP/1.1\r\nX-Slow: ").await;
            slow.push(connection);
        }
    }
    for number in 0..10 {
        let id = number.to_string();
        let caller =
            if number % 2 == 0 { collector.api_server() } else { collector.with_token(TOKEN) };
        let answer = caller.post(&list(&[event(&id)])).await.unwrap();
        assert_eq!(answer.status, 200, "{answer}");
    }
    publisher.expect_event("9").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_given_up_and_others_are_taken_meanwhile() {
    let publisher = Publisher::start();
    let setup = Setup::new().with("  maximum_bodies: 2");
    let collector = Collector::start(setup, &publisher).await;
    let caller = collector.api_server();
    let head = caller.head("POST /audit", "Content-Length: 1000\r\n");
    let mut slow = caller.connect().await.unwrap();
    slow.write_all(format!("{head}{{\"kind\":").as_bytes()).await.unwrap();
    slow.flush().await.unwrap();
    let answer = caller.post(&list(&[event("meanwhile")])).await.unwrap();
    assert_eq!(answer.status, 200, "{answer}");
    publisher.expect_event("meanwhile").await;

    let mut others = Vec::new();
    // As soon as two have their turn, one more waits and is told to come again. Each gives its turn back after a while.
    let busy = loop {
        let mut other = caller.connect().await.unwrap();
        other.write_all(head.as_bytes()).await.unwrap();
        other.flush().await.unwrap();
        others.push(other);
        let answer = caller.post(&list(&[event("third")])).await.unwrap();
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(busy.status, 429, "{busy}");
    assert!(busy.head.to_ascii_lowercase().contains("retry-after: 1"), "{}", busy.head);
    let given_up = read_answer(&mut slow).await.unwrap();
    assert_eq!(given_up.status, 408, "{given_up}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_come_byte_by_byte() {
    let publisher = Publisher::start();
    let collector = Collector::start(Setup::new(), &publisher).await;
    let caller = collector.api_server();
    let body = list(&[event("a"), event("b")]);
    let mut connection = caller.connect().await.unwrap();
    let head = caller.head("POST /audit", "Transfer-Encoding: chunked\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    for byte in body {
        connection.write_all(&[b'1', b'\r', b'\n', byte, b'\r', b'\n']).await.unwrap();
        connection.flush().await.unwrap();
    }
    connection.write_all(b"0\r\n\r\n").await.unwrap();
    connection.flush().await.unwrap();
    let mut answer = vec![0; 15];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200 OK");
    publisher.expect_event("b").await;
    assert_eq!(publisher.events().len(), 2);
}
