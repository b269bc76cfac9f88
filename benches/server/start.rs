//! From the start of a process to its first answer, as a client sees it that tries again and again.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use tokio::runtime::Runtime;

use crate::{
    bodies,
    load::client::Client,
    programs::{Programs, Which, bare_arguments},
    server::Site,
    spread::Spread,
    table::Row,
};

const TIMES: usize = 15;
const PAUSE: Duration = Duration::from_micros(200);
const LONGEST: Duration = Duration::from_secs(10);

pub fn rows(programs: &Programs, runtime: &Runtime) -> [Row; 2] {
    let body = Bytes::from(bodies::bytes(&bodies::meshed()));
    let [mut bare, mut files, mut throw_away] = [const { Vec::new() }; 3];
    for _time in 0..TIMES {
        for (times, which, kind) in [
            (&mut bare, Which::Bare, Certificate::Files),
            (&mut files, Which::Podfit, Certificate::Files),
            (&mut throw_away, Which::Podfit, Certificate::ThrowAway),
        ] {
            times.push(runtime.block_on(first_answer(programs, which, kind, &body)));
        }
    }
    let [bare, files, throw_away] =
        [bare, files, throw_away].map(|times| format!("{:.0} ms", Spread::of_times(&times)));
    let what = "start to first answer";
    [
        Row { what: format!("{what}, certificate files"), bare, podfit: files },
        Row { what: format!("{what}, throw-away certificate"), bare: String::new(), podfit: throw_away },
    ]
}

#[derive(Clone, Copy)]
enum Certificate {
    Files,
    ThrowAway,
}

async fn first_answer(programs: &Programs, which: Which, certificate: Certificate, body: &Bytes) -> Duration {
    let site = Site::new();
    let made = site.file("made.crt");
    let arguments = match (which, certificate) {
        (Which::Bare, _) => bare_arguments(&site),
        (Which::Podfit, Certificate::Files) => site.serve_with_files(),
        (Which::Podfit, Certificate::ThrowAway) => {
            [site.serve(), vec!["--ca-out".to_owned(), made.display().to_string()]].concat()
        }
    };
    let address = site.webhook;
    let mut client = match certificate {
        Certificate::Files => Some(Client::new(address, &site.ca)),
        Certificate::ThrowAway => None,
    };
    let start = Instant::now();
    let mut server = site.start_directly("server", programs.path(which), &arguments);
    loop {
        if client.is_none() {
            let ca = fs::read_to_string(&made).ok().filter(|ca| ca.contains("END CERTIFICATE"));
            client = ca.map(|ca| Client::new(address, &ca));
        }
        if let Some(client) = &client
            && let Ok(mut connection) = client.connect().await
        {
            assert_eq!(connection.post("/mutate", body.clone()).await.unwrap().status, 200);
            return start.elapsed();
        }
        server.process.check_alive();
        assert!(start.elapsed() < LONGEST, "no answer");
        thread::sleep(PAUSE);
    }
}
