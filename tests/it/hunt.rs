//! Looks for a customer's samples in any bytes, in every coding that a program could have used for them.

use std::collections::HashMap;

use super::encode;

/// Samples in a block that is looked for. Any 15 consecutive samples hold a whole one.
const BLOCK: usize = 8;

/// A way of writing samples down.
type Coding = (&'static str, encode::Put);

const CODINGS: [Coding; 12] = [
    ("s16le", encode::s16le),
    ("s16be", |v, b| b.extend(v.to_be_bytes())),
    ("s24le", encode::s24le),
    ("s32le", encode::s32le),
    ("i32 of the same number", |v, b| b.extend(i32::from(v).to_le_bytes())),
    ("f32", encode::f32le),
    ("f32 of the same number", |v, b| b.extend(f32::from(v).to_le_bytes())),
    ("f64", encode::f64le),
    ("8 bit", |v, b| b.push(encode::u8_of(v))),
    ("µ-law", |v, b| b.push(encode::mulaw(v))),
    ("A-law", |v, b| b.push(encode::alaw(v))),
    ("text", |v, b| b.extend(format!("{v}, ").bytes())),
];

/// Where a customer's samples were found.
#[derive(Debug, PartialEq)]
pub struct Hit {
    /// The byte at which they begin.
    pub byte: usize,
    /// How they are written.
    pub coding: &'static str,
    /// Which of the customer's samples is the first.
    pub sample: usize,
}

/// What is looked for.
pub struct Hunt {
    customers: Vec<Vec<i16>>,
    /// The first eight bytes of a block → customer, coding, sample.
    blocks: HashMap<[u8; 8], (usize, usize, usize)>,
    /// Which first two bytes occur at all.
    beginnings: Vec<bool>,
}

impl Hunt {
    /// Will look for these customers.
    pub fn of(customers: Vec<Vec<i16>>) -> Hunt {
        let mut hunt = Hunt { customers: Vec::new(), blocks: HashMap::new(), beginnings: vec![false; 1 << 16] };
        for (customer, samples) in customers.iter().enumerate() {
            for (number, block) in samples.chunks_exact(BLOCK).enumerate() {
                // Silence looks alike everywhere.
                let distinct = block.iter().filter(|v| block.iter().filter(|w| w == v).count() == 1).count();
                if distinct < 6 || block.iter().all(|v| v.unsigned_abs() < 500) {
                    continue;
                }
                for (coding, (_, put)) in CODINGS.iter().enumerate() {
                    let bytes = encode::body(block, *put);
                    let key: [u8; 8] = bytes[..8].try_into().unwrap();
                    hunt.beginnings[usize::from(u16::from_le_bytes([key[0], key[1]]))] = true;
                    hunt.blocks.entry(key).or_insert((customer, coding, number * BLOCK));
                }
            }
        }
        assert!(hunt.blocks.len() > 1_000, "there is something to look for");
        hunt.customers = customers;
        hunt
    }

    /// The first place at which any of the customers is found.
    pub fn first(&self, bytes: &[u8]) -> Option<Hit> {
        (0..bytes.len().saturating_sub(7)).find_map(|at| self.hit(bytes, at))
    }

    /// Panics if a customer is found.
    #[track_caller]
    pub fn finds_nothing(&self, what: &str, bytes: &[u8]) {
        if let Some(hit) = self.first(bytes) {
            panic!("{what}: the customer's voice is in it: {hit:?}");
        }
    }

    fn hit(&self, bytes: &[u8], at: usize) -> Option<Hit> {
        if !self.beginnings[usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))] {
            return None;
        }
        let (customer, coding, sample) = *self.blocks.get(&bytes[at..at + 8])?;
        let (name, put) = CODINGS[coding];
        let whole = encode::body(&self.customers[customer][sample..sample + BLOCK], put);
        bytes[at..].starts_with(&whole).then_some(Hit { byte: at, coding: name, sample })
    }
}

/// The greatest likeness of two signals (normalised correlation, 0 to 1) over shifts of up to `reach` samples.
pub fn likeness(one: &[i16], other: &[i16], reach: usize) -> f64 {
    let power = |signal: &[i16]| signal.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let scale = (power(one) * power(other)).sqrt();
    let at = |one: &[i16], other: &[i16], shift: usize| {
        let sum: f64 = one[shift..].iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        sum.abs() / scale
    };
    if scale == 0.0 || one.len().min(other.len()) <= reach {
        return 0.0;
    }
    (0..=reach).map(|shift| at(one, other, shift).max(at(other, one, shift))).fold(0.0, f64::max)
}

/// The bytes that a trace of system calls (`strace -xx`) shows being handed to the system.
pub fn traced(trace: &str) -> Vec<u8> {
    let digits = |text: &str| u8::from_str_radix(text, 16).ok();
    let strings = trace.split('"').skip(1).step_by(2);
    strings.flat_map(|text| text.split("\\x").skip(1).filter_map(|hex| digits(hex.get(..2)?))).collect()
}

#[test]
fn the_hunt_finds_a_planted_run_in_every_coding_at_any_byte() {
    let customer = super::common::canary(4, 7);
    let hunt = Hunt::of(vec![customer.clone()]);
    for (name, put) in CODINGS {
        for from in [16_000, 16_003] {
            let planted = [&[0; 131][..], &encode::body(&customer[from..from + 16], put), &[0; 64]].concat();
            let hit = hunt.first(&planted).unwrap_or_else(|| panic!("{name}: missed"));
            assert!((from..from + BLOCK).contains(&hit.sample), "{name}: {hit:?}");
        }
    }
    hunt.finds_nothing("another customer", &encode::body(&super::common::canary(4, 8), encode::s16le));
}

#[test]
fn a_planted_echo_of_the_customer_is_seen_by_its_likeness() {
    let (agent, customer) = (super::common::agent(4), super::common::canary(4, 7));
    assert!(likeness(&agent, &customer, 8) < 0.02);
    let leaked: Vec<i16> = (0..agent.len()).map(|n| agent[n] + if n < 5 { 0 } else { customer[n - 5] / 10 }).collect();
    assert!(likeness(&leaked, &customer, 8) > 0.04);
}

#[test]
fn a_trace_gives_back_the_bytes_that_were_written() {
    let trace = "12 write(3, \"\\x00\\xff\\x41\", 3) = 3\n12 writev(4, [{iov_base=\"\\x42\", iov_len=1}], 1) = 1\n";
    assert_eq!(traced(trace), [0, 0xFF, 0x41, 0x42]);
}
