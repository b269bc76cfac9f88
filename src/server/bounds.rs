//! The one table of the server's bounds. Tests shorten the time-outs.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// A larger body is answered with 413.
    pub body_bytes: usize,
    /// All bodies that are being read or judged; beyond it 503. One of the largest, and room for others beside it.
    pub in_flight_bytes: usize,
    /// A larger body is judged apart from the others, one at a time: it may take milliseconds and megabytes.
    pub ordinary_bytes: usize,
    /// Read and thrown away of a body that is refused, so that its sender gets to read the answer.
    pub discarded_bytes: usize,
    /// Open connections on the webhook port.
    pub connections: usize,
    /// And on the admin port, for probes, Prometheus and people.
    pub admin_connections: usize,
    /// Concurrent streams of one h2 connection.
    pub streams: u32,
    /// Read buffer of one HTTP/1.1 connection, and so its longest head, in bytes; hyper takes no less than 8 KiB.
    pub head_bytes: usize,
    pub handshake: Duration,
    /// From the head of a request to the end of its body.
    pub body: Duration,
    /// From one request to the head of the next. The API server keeps idle connections for 90 s: closing earlier than
    /// it does races with its next POST, which it does not retry.
    pub idle: Duration,
    /// Between two looks at certificate and policy files.
    pub poll: Duration,
    /// What in-flight reviews get at the end. With the linger before it, less than a Pod's 30 s of grace.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            in_flight_bytes: 10 << 20,
            ordinary_bytes: 128 << 10,
            discarded_bytes: 64 << 20,
            connections: 4096,
            admin_connections: 64,
            streams: 128,
            head_bytes: 8 << 10,
            handshake: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_mins(5),
            poll: Duration::from_secs(2),
            drain: Duration::from_secs(20),
        }
    }
}

/// A browser sends the cookies of whatever else it has seen on `localhost`.
const BROWSER_HEAD_BYTES: usize = 64 << 10;

impl Bounds {
    /// Those of the admin port. Whoever says nothing gives its place back soon: the kubelet's probes need one.
    pub(super) fn of_admin(self) -> Self {
        let (connections, idle) = (self.admin_connections, self.handshake);
        Self { connections, idle, head_bytes: BROWSER_HEAD_BYTES, ..self }
    }
}
