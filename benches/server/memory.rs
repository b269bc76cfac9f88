//! Resident memory: idle, after many reviews, and with many connections used in turn or all at once.

use tokio::runtime::Runtime;

use crate::{
    CONNECTIONS, cases,
    crowd::Crowd,
    programs::{BOTH, Programs, Which, client},
    server::Server,
    table::{Row, mebibytes},
};

const MANY_CONNECTIONS: usize = 1_000;

/// In KiB.
struct Memory {
    idle: u64,
    half_way: u64,
    after: u64,
    used: u64,
    crowded: u64,
}

pub fn rows(programs: &Programs, runtime: &Runtime, reviews: u64) -> [Row; 5] {
    let [bare, podfit] = BOTH.map(|which| measure(programs, runtime, which, reviews));
    let row = |what: String, figure: fn(&Memory) -> String| Row { what, bare: figure(&bare), podfit: figure(&podfit) };
    [
        row("resident, idle".to_owned(), |memory| mebibytes(memory.idle)),
        row(format!("resident after {reviews} reviews"), |memory| mebibytes(memory.after)),
        row("of which in the last half".to_owned(), |memory| {
            format!("{} KiB", memory.after.cast_signed() - memory.half_way.cast_signed())
        }),
        row(format!("resident with {MANY_CONNECTIONS} connections, used in turn"), |memory| mebibytes(memory.used)),
        row(format!("resident with {MANY_CONNECTIONS} connections, used at once"), |memory| mebibytes(memory.crowded)),
    ]
}

fn measure(programs: &Programs, runtime: &Runtime, which: Which, reviews: u64) -> Memory {
    let server = programs.start(which);
    let resident = |server: &Server| server.process.kibibytes("VmRSS");
    let idle = resident(&server);
    let client = client(&server);
    runtime.block_on(async {
        let review = cases::typical().ask(which, &client).await;
        let mut crowd = Crowd::connect(&client, CONNECTIONS).await;
        let mut half = async || {
            crowd.closed(&review, reviews / 2).await;
            resident(&server)
        };
        let (half_way, after) = (half().await, half().await);
        drop(crowd);
        let mut crowd = Crowd::connect(&client, MANY_CONNECTIONS).await;
        crowd.in_turn(&review).await;
        let used = resident(&server);
        crowd.closed(&review, 5 * MANY_CONNECTIONS as u64).await;
        Memory { idle, half_way, after, used, crowded: resident(&server) }
    })
}
