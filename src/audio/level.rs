//! Frame levels of both sides, computed once a frame.
pub type Level = i16;
pub const OCTAVE: Level = 256;
pub const fn decibels(db: i32) -> Level {
    (db * 25_600 / 301) as Level
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    pub agent: [Level; 2],
    pub customer: [Level; 2],
    pub agent_energy: u64,
    pub customer_energy: u64,
    pub dot: i64,
    pub agent_peak: u16,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    agent: u64,
    customer: u64,
    dot: i64,
    count: u64,
}

pub fn measure(agent: &[i16], customer: &[i16]) -> Levels {
    let len = agent.len().min(customer.len());
    let (agent, customer) = (&agent[..len], &customer[..len]);
    let half = len / 2;
    let fold = (len / 160).max(1);
    let (first, second) = if fold == 1 {
        (
            plain(&agent[..half], &customer[..half]),
            plain(&agent[half.saturating_sub(1)..], &customer[half.saturating_sub(1)..]),
        )
    } else {
        (folded(&agent[..half], &customer[..half], fold), folded(&agent[half..], &customer[half..], fold))
    };
    let (low, high) = agent.iter().fold((0i16, 0i16), |(l, h), &x| (l.min(x), h.max(x)));
    Levels {
        agent: [mean_level(first.agent, first.count), mean_level(second.agent, second.count)],
        customer: [mean_level(first.customer, first.count), mean_level(second.customer, second.count)],
        agent_energy: first.agent + second.agent,
        customer_energy: first.customer + second.customer,
        dot: first.dot + second.dot,
        agent_peak: low.unsigned_abs().max(high.unsigned_abs()),
    }
}

const CHUNK: usize = 112;

fn plain(agent: &[i16], customer: &[i16]) -> Sums {
    let mut sums = Sums::default();
    let n = agent.len().saturating_sub(1);
    let (mut at, n_all) = (0, n);
    while at < n_all {
        let take = (n_all - at).min(CHUNK);
        let (a0, a1) = (&agent[at..at + take], &agent[at + 1..at + 1 + take]);
        let (c0, c1) = (&customer[at..at + take], &customer[at + 1..at + 1 + take]);
        let (mut aa, mut cc, mut ac) = (0i32, 0i32, 0i32);
        for i in 0..take {
            let a = i32::from(step(a0[i], a1[i]));
            let c = i32::from(step(c0[i], c1[i]));
            aa = aa.wrapping_add(a * a);
            cc = cc.wrapping_add(c * c);
            ac = ac.wrapping_add(a * c);
        }
        sums.agent += aa as u64;
        sums.customer += cc as u64;
        sums.dot += i64::from(ac);
        at += take;
    }
    sums.count = n as u64;
    sums
}

fn step(before: i16, after: i16) -> i16 {
    after.saturating_sub(before).saturating_add(2) >> 2
}

fn folded(agent: &[i16], customer: &[i16], fold: usize) -> Sums {
    let mut sums = Sums::default();
    let mean = |x: &[i16]| (x.iter().map(|&x| i32::from(x)).sum::<i32>() / fold as i32) as i16;
    let mut before: Option<(i16, i16)> = None;
    for (a, c) in agent.chunks_exact(fold).zip(customer.chunks_exact(fold)) {
        let now = (mean(a), mean(c));
        if let Some(b) = before {
            let (a, c) = (i64::from(step(b.0, now.0)), i64::from(step(b.1, now.1)));
            sums.agent += (a * a) as u64;
            sums.customer += (c * c) as u64;
            sums.dot += a * c;
            sums.count += 1;
        }
        before = Some(now);
    }
    sums
}

fn mean_level(sum: u64, count: u64) -> Level {
    if sum == 0 { 0 } else { (log2(sum) - log2(count)).max(0) }
}

/// 256 * log2, the mantissa taken as linear
fn log2(x: u64) -> Level {
    let whole = 63 - x.leading_zeros();
    let mantissa = ((x << (63 - whole)) >> 55) & 0xff;
    (whole * 256 + mantissa as u32) as Level
}

/// Above this a side is active.
pub const ACTIVE: Level = 1810;
