// SPDX-License-Identifier: GPL-2.0-only
//! A web server for a few readers: each connection is answered once, and nobody who is slow or
//! unfinished keeps others waiting for longer than he is given.

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, BufWriter, Write};
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::{mpsc, Semaphore};

/// Within this time a client has sent its request.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// Within this time it has read the answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Clients at a time. Others wait in the queue of the listening socket.
const CLIENTS: usize = 16;
/// How long to wait when no client can be taken, because the process has no descriptors left.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of a part of a long answer.
const PART: usize = 32 * 1024;
/// Parts that wait to be sent.
const WAITING: usize = 2;

/// What a request is answered with.
pub struct Answer {
    pub status: u16,
    pub media_type: &'static str,
    pub body: Body,
}

/// What is in an answer.
pub enum Body {
    Text(String),
    /// Written while it is sent.
    Written(Writing),
}

/// Writes a body, and may block. Its error breaks the connection off, so that nobody takes a part for
/// the whole.
pub type Writing = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

impl Answer {
    pub fn text(status: u16, body: String) -> Self {
        Self {
            status,
            media_type: "text/plain; charset=utf-8",
            body: Body::Text(body),
        }
    }
}

/// Answers requests for paths until the process is asked to end. `answer` may block; it runs in threads
/// that the calling one starts.
pub fn serve(
    listener: TcpListener,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> io::Result<()> {
    serve_until(asked_to_end(), listener, answer)
}

/// Waits for the signals that ask a process to end.
async fn asked_to_end() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn serve_until(
    end: impl Future<Output = io::Result<()>>,
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
        tokio::select! {
            () = take_clients(&listener, Arc::new(answer)) => Ok(()),
            end = end => end,
        }
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
) -> Response<Either<Full<Bytes>, Parts>> {
    let answer = if matches!(*request.method(), Method::GET | Method::HEAD) {
        let path = request.uri().path().to_string();
        let answered = tokio::task::spawn_blocking(move || answer(&path)).await;
        answered.unwrap_or_else(|_| Answer::text(500, "the answer failed\n".to_string()))
    } else {
        Answer::text(405, "there is only GET\n".to_string())
    };
    let mut response = Response::new(match answer.body {
        Body::Text(text) => Either::Left(Full::new(Bytes::from(text))),
        Body::Written(write) => Either::Right(Parts::written(write)),
    });
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = hyper::header::HeaderValue::from_static(answer.media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// A body that is sent part by part.
struct Parts(mpsc::Receiver<io::Result<Bytes>>);

impl Parts {
    /// What `write` writes, which it does no faster than the client reads.
    fn written(write: Writing) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            let mut out = BufWriter::with_capacity(PART, Sender(&sender));
            if let Err(error) = write(&mut out).and_then(|()| out.flush()) {
                // When the client is gone, nobody needs to know.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self(receiver)
    }
}

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let part = self.0.poll_recv(context);
        part.map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// Where the parts are written to; it fails when the client is gone.
struct Sender<'a>(&'a mpsc::Sender<io::Result<Bytes>>);

impl Write for Sender<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(part)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use super::*;

    fn server() -> SocketAddr {
        server_of(|path| Answer::text(200, format!("at {path}\n")))
    }

    fn server_of(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Not until a signal: that of another test reaches everybody in the process.
        std::thread::spawn(|| serve_until(std::future::pending(), listener, answer));
        address
    }

    fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Answer {
        Answer {
            body: Body::Written(Box::new(write)),
            ..Answer::text(200, String::new())
        }
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
    fn a_long_answer_is_sent_in_parts_while_it_is_written() {
        // More than what waits, and the buffers of the sockets.
        const LINES: usize = 1_000_000;
        let address = server_of(|_| {
            written(|out| (0..LINES).try_for_each(|line| writeln!(out, "{line:>15}")))
        });
        let answer = ask(address, "GET / HTTP/1.1\r\nHost: y\r\n\r\n");
        assert!(answer.contains("transfer-encoding: chunked\r\n"));
        assert!(answer.ends_with("\r\n0\r\n\r\n"));
        let answer = ask(address, "GET / HTTP/1.0\r\n\r\n");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.len(), LINES * 16);
        assert!(body.ends_with(&format!("{:>15}\n", LINES - 1)));
    }

    #[test]
    fn an_answer_that_cannot_be_finished_does_not_look_whole() {
        let address = server_of(|_| {
            written(|out| {
                out.write_all(b"a part\n")?;
                Err(io::Error::other("no more"))
            })
        });
        let answer = ask(address, "GET / HTTP/1.1\r\nHost: y\r\n\r\n");
        assert!(!answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    }

    #[test]
    fn the_writing_of_an_answer_ends_when_the_client_goes() {
        let (sender, ended) = std::sync::mpsc::channel();
        let address = server_of(move |_| {
            let sender = sender.clone();
            written(move |out| {
                let error = std::iter::repeat(()).find_map(|()| writeln!(out, "more").err());
                sender.send(error.map(|error| error.kind())).unwrap();
                Ok(())
            })
        });
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: y\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
        drop(stream);
        assert_eq!(ended.recv(), Ok(Some(io::ErrorKind::BrokenPipe)));
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
