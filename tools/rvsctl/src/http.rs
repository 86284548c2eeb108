// SPDX-License-Identifier: GPL-2.0-only
//! A web server for a few readers: each connection is answered once, and nobody who is slow or
//! unfinished keeps others waiting for longer than he is given.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::Semaphore;

/// Within this time a client has sent its request.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// Within this time it has read the answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Clients at a time. Others wait in the queue of the listening socket.
const CLIENTS: usize = 16;
/// How long to wait when no client can be taken, because the process has no descriptors left.
const PAUSE: Duration = Duration::from_millis(200);

/// What a request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub media_type: &'static str,
    pub body: String,
}

impl Answer {
    pub fn text(status: u16, body: String) -> Self {
        Self {
            status,
            media_type: "text/plain; charset=utf-8",
            body,
        }
    }
}

/// Answers requests for paths until the process is asked to end. `answer` may block; it runs in threads
/// that the calling one starts.
pub fn serve(
    listener: TcpListener,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(CLIENTS)
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = take_clients(&listener, Arc::new(answer)) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

async fn take_clients<A: Fn(&str) -> Answer + Send + Sync + 'static>(
    listener: &tokio::net::TcpListener,
    answer: Arc<A>,
) {
    let room = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let connection = tokio::time::timeout(ANSWER_TIME, talk(stream, answer));
                    // What a client does wrong is its own affair.
                    let _ = connection.await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Reads one request and answers it.
async fn talk<A: Fn(&str) -> Answer + Send + Sync + 'static>(
    stream: TcpStream,
    answer: Arc<A>,
) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(respond(&request, answer).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIME)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn respond<A: Fn(&str) -> Answer + Send + Sync + 'static>(
    request: &Request<Incoming>,
    answer: Arc<A>,
) -> Response<Full<Bytes>> {
    let answer = if matches!(*request.method(), Method::GET | Method::HEAD) {
        let path = request.uri().path().to_string();
        let answered = tokio::task::spawn_blocking(move || answer(&path)).await;
        answered.unwrap_or_else(|_| Answer::text(500, "the answer failed\n".to_string()))
    } else {
        Answer::text(405, "there is only GET\n".to_string())
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = hyper::header::HeaderValue::from_static(answer.media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use super::*;

    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(|| serve(listener, |path| Answer::text(200, format!("at {path}\n"))));
        address
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_request_is_answered_and_the_connection_closed() {
        let answer = ask(server(), "GET /x HTTP/1.1\r\nHost: y\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nat /x\n"), "{answer}");
        let answer = ask(server(), "HEAD /x HTTP/1.1\r\nHost: y\r\n\r\n");
        assert!(answer.contains("content-length: 6\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[test]
    fn other_methods_and_nonsense_are_refused() {
        let address = server();
        let answer = ask(
            address,
            "POST / HTTP/1.1\r\nHost: y\r\ncontent-length: 0\r\n\r\n",
        );
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
        let answer = ask(address, "nonsense\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }

    #[test]
    fn clients_that_say_nothing_do_not_keep_others_waiting() {
        let address = server();
        let silent: Vec<_> = (0..CLIENTS / 2)
            .map(|_| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(b"GET / HT").unwrap();
                stream
            })
            .collect();
        let answer = ask(address, "GET /x HTTP/1.1\r\nHost: y\r\n\r\n");
        assert!(answer.ends_with("at /x\n"), "{answer}");
        drop(silent);
    }
}
