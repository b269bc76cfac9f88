//! How long a review takes at a steady rate that leaves the machine room.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::{
    CONNECTIONS, cases,
    crowd::Crowd,
    programs::{BOTH, Programs, client},
    spread::Spread,
    table::Row,
};

const PER_SECOND: u32 = 2_000;
const LASTING: Duration = Duration::from_secs(4);
const ROUNDS: usize = 5;

pub fn rows(programs: &Programs, runtime: &Runtime) -> [Row; 2] {
    let servers = BOTH.map(|which| programs.start(which));
    let clients = servers.each_ref().map(client);
    let [mut halves, mut most] = [const { [const { Vec::new() }; 2] }; 2];
    runtime.block_on(async {
        let case = cases::typical();
        for turn in 0..2 * ROUNDS {
            let index = (turn / 2 + turn) % 2;
            let review = case.ask(BOTH[index], &clients[index]).await;
            let mut crowd = Crowd::connect(&clients[index], CONNECTIONS).await;
            let times = crowd.open(&review, PER_SECOND, LASTING).await;
            halves[index].push(times.percentile(50));
            most[index].push(times.percentile(99));
        }
    });
    let row = |percent, times: [Vec<Duration>; 2]| {
        let [bare, podfit] = times.map(|times| format!("{:.2} ms", Spread::of_times(&times)));
        Row { what: format!("p{percent} at {PER_SECOND} reviews a second, typical body"), bare, podfit }
    };
    [row(50, halves), row(99, most)]
}
