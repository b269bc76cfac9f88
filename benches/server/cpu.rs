//! CPU time per review, podfit's as a ratio to the bare server's in the same round.

use std::{process::ExitCode, sync::Arc};

use tokio::runtime::Runtime;

use crate::{
    CONNECTIONS,
    cases::{self, Case},
    crowd::Crowd,
    load::review::Review,
    programs::{BOTH, Programs, Which, client},
    server::Server,
    spread::Spread,
    table::Row,
};

struct Length {
    rounds: usize,
    reviews: u32,
}

// A shared machine changes its speed within seconds: many short rounds tell more than a few long ones.
const USUAL: Length = Length { rounds: 15, reviews: 10_000 };
const SHORT: Length = Length { rounds: 9, reviews: 4_000 };

/// What one case cost.
struct Cost {
    case: Case,
    /// Of the bare server, in microseconds.
    bare: Spread,
    ratio: Spread,
}

/// A server, and the connections to it.
struct Side {
    which: Which,
    server: Server,
    crowd: Crowd,
}

pub fn rows(programs: &Programs, runtime: &Runtime) -> Vec<Row> {
    measure(programs, runtime, &USUAL).iter().map(Cost::row).collect()
}

/// Fails where a ratio is beyond its bound.
pub fn check(programs: &Programs, runtime: &Runtime) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for cost in measure(programs, runtime, &SHORT) {
        println!("{}", cost.row());
        if cost.ratio.median() > cost.case.bound {
            println!("beyond {:.2} x bare", cost.case.bound);
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn measure(programs: &Programs, runtime: &Runtime, length: &Length) -> Vec<Cost> {
    let [bare, podfit] = BOTH.map(|which| programs.start(which));
    runtime.block_on(async {
        let cases = cases::all(&client(&podfit)).await;
        let mut sides = [Side::new(Which::Bare, bare).await, Side::new(Which::Podfit, podfit).await];
        let mut costs = Vec::new();
        for case in cases {
            costs.push(compare(&mut sides, case, length).await);
        }
        costs
    })
}

async fn compare(sides: &mut [Side; 2], case: Case, length: &Length) -> Cost {
    let reviews = [
        case.ask(sides[0].which, &client(&sides[0].server)).await,
        case.ask(sides[1].which, &client(&sides[1].server)).await,
    ];
    let (mut bare, mut ratios) = (Vec::new(), Vec::new());
    // The first round warms both up, and is not counted.
    for round in 0..=length.rounds {
        let mut costs = [0.0; 2];
        for turn in 0..2 {
            let index = (round + turn) % 2;
            costs[index] = sides[index].cost(&reviews[index], length.reviews).await;
        }
        if round > 0 {
            bare.push(costs[0]);
            ratios.push(costs[1] / costs[0]);
        }
    }
    Cost { case, bare: Spread::of(bare), ratio: Spread::of(ratios) }
}

impl Cost {
    fn row(&self) -> Row {
        let what = format!("CPU per review: {}, {} KB", self.case.name, (self.case.bytes() + 500) / 1000);
        let (bare, ratio) = (&self.bare, &self.ratio);
        Row { what, bare: format!("{bare:.1} µs"), podfit: format!("{ratio:.2} x bare") }
    }
}

impl Side {
    async fn new(which: Which, server: Server) -> Self {
        let crowd = Crowd::connect(&client(&server), CONNECTIONS).await;
        Self { which, server, crowd }
    }

    /// Microseconds of CPU per review.
    async fn cost(&mut self, review: &Arc<Review>, reviews: u32) -> f64 {
        let before = self.server.cpu();
        self.crowd.closed(review, reviews.into()).await;
        self.server.cpu().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(reviews)
    }
}
