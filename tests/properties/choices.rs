//! Decisions of a generator, taken from bytes: proptest shrinks the bytes, the fuzz loop fills them from its seed.

use std::fmt;

/// Where the bytes end, every choice is the first and plainest one: so a shorter input is a simpler Pod.
pub struct Choices {
    bytes: Vec<u8>,
    next: usize,
}

/// The bytes say nothing to a reader; what was made of them is printed instead.
impl fmt::Debug for Choices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.bytes.len())
    }
}

impl Choices {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, next: 0 }
    }

    /// From 0 to `count` - 1.
    pub fn below(&mut self, count: usize) -> usize {
        let coarse = usize::from(self.byte()) << 8;
        let fine = if count > 64 { usize::from(self.byte()) } else { 0 };
        ((coarse | fine) * count) >> 16
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    pub fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }

    /// Some of a list, in its order.
    pub fn some<T: Clone>(&mut self, list: &[T]) -> Vec<T> {
        list.iter().filter(|_| self.chance(40)).cloned().collect()
    }

    fn byte(&mut self) -> u8 {
        self.next += 1;
        self.bytes.get(self.next - 1).copied().unwrap_or(0)
    }
}

/// Splitmix64: enough for choosing, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `count` - 1; 0 for an empty range.
    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count.max(1) as u64).unwrap()
    }

    pub fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.take(count.div_ceil(8)).flatten().take(count).collect()
    }

    pub fn choices(&mut self) -> Choices {
        let count = self.below(2_500);
        Choices::new(self.bytes(count))
    }
}
