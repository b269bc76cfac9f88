//! What cargo took for its number of jobs.

fn main() {
    println!("jobs={}", env!("JOBS"));
}
