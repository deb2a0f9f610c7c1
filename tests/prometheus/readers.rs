//! What readers of gzip of other make read of a compressed scrape, which is spliced from blocks:
//! the plain scrape.

use std::{
    io::{BufRead, BufReader, Seek, Write},
    net::TcpListener,
    process::{Command, Stdio},
    sync::LazyLock,
    thread,
};

use kubetally::exposition::Format;

use crate::{
    Test, file,
    pods::{json, list, pieces, store},
};

/// The tests, each with the program that it needs.
pub const TESTS: &[(&str, &[(&str, Test)])] = &[
    ("go", &[("go_reads_a_compressed_scrape", || check(go))]),
    ("python3", &[("python_reads_a_compressed_scrape", || check(python))]),
    ("gzip", &[("gzip_reads_a_compressed_scrape", || check(gzip))]),
    ("curl", &[("curl_reads_a_compressed_scrape", || check(curl))]),
];

/// A scrape as it is without compression, and with it.
struct Scrape {
    what: String,
    plain: Vec<u8>,
    gzip: Vec<u8>,
}

/// Reads every scrape by a reader.
///
/// # Panics
/// Where it does not read the plain scrape.
fn check(read: fn(&[u8]) -> Vec<u8>) {
    for Scrape { what, plain, gzip } in &*SCRAPES {
        assert!(read(gzip) == *plain, "{what}: {} bytes read otherwise", plain.len());
    }
}

/// Scrapes of one pod and of several blocks of them, before and after some have changed.
static SCRAPES: LazyLock<Vec<Scrape>> = LazyLock::new(|| {
    let mut scrapes = Vec::new();
    for format in [Format::Text, Format::OpenMetrics] {
        for pods in [1, 300] {
            let store = store(true);
            // The fleet's pod 0 waits for a node: of that one no restart shows.
            let fleet = |restarts: fn(u32) -> u32| {
                (1..=pods).map(move |at| json(at, restarts(at), at + restarts(at) * pods))
            };
            let scrape = |when: &str| Scrape {
                what: format!("{format:?}, {pods} pods, {when}"),
                plain: pieces(&store, format, false).collect::<Vec<_>>().concat(),
                gzip: pieces(&store, format, true).collect::<Vec<_>>().concat(),
            };
            list(&store, fleet(|_| 0));
            scrapes.push(scrape("at first"));
            let before: Vec<_> = pieces(&store, format, true).collect();
            // Of many, none in the second block.
            list(&store, fleet(|at| u32::from(at <= 100)));
            let after: Vec<_> = pieces(&store, format, true).collect();
            let kept = before.iter().zip(&after).filter(|(before, after)| before == after).count();
            assert!(kept > 0 && kept < after.len(), "{kept} blocks stay as they were");
            scrapes.push(scrape("after changes"));
        }
    }
    scrapes
});

/// What a program makes of these bytes.
fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut stdin = tempfile::tempfile().expect("a file");
    stdin.write_all(input).and_then(|()| stdin.rewind()).expect("a file that can be written");
    let output = command.stdin(stdin).stderr(Stdio::piped()).output().expect("it can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output.stdout
}

fn go(gzip: &[u8]) -> Vec<u8> {
    let program = file("tests/prometheus/gunzip.go");
    output(Command::new("go").env("GOTOOLCHAIN", "local").arg("run").arg(program), gzip)
}

fn python(gzip: &[u8]) -> Vec<u8> {
    let program = "import gzip, sys; \
                   sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";
    output(Command::new("python3").args(["-c", program]), gzip)
}

fn gzip(gzip: &[u8]) -> Vec<u8> {
    output(Command::new("gzip").arg("-dc"), gzip)
}

/// Serves the bytes to curl, once.
fn curl(gzip: &[u8]) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback is free");
    let address = listener.local_addr().expect("an address");
    let body = gzip.to_vec();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let head = BufReader::new(stream.try_clone()?).lines();
        let asked = head.map_while(Result::ok).take_while(|line| !line.is_empty());
        let accepts = asked.filter(|line| line.to_lowercase().starts_with("accept-encoding:"));
        assert!(accepts.collect::<String>().contains("gzip"), "curl asks for gzip");
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
        )?;
        stream.write_all(&body)
    });
    let url = format!("http://{address}/metrics");
    let args = ["--silent", "--show-error", "--noproxy", "*", "--max-time", "30", "--compressed"];
    let text = output(Command::new("curl").args(args).arg(url), b"");
    server.join().expect("curl asked for gzip").expect("an answer");
    text
}
