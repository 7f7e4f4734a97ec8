//! What the guard tells the manifest: how much of the customer may be in what was kept (ONE-04: "every segment carries a
//! leak figure").

use crate::audio::level::{Level, log2, power, tenths_db};

/// The lanes hold the lower edge of the coupling; the mean lies 2-4 dB above it (dev set), 6 dB make it an upper bound.
const ABOVE_EDGE: Level = tenths_db(60);

/// Judged units whose share waits for the verdict.
const WAITING: usize = 32;

/// The leak of one call so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leak {
    /// One party only: there is no customer's side to compare with.
    NotMeasurable,
    /// Both sides were heard, at least now and then.
    Measured(Figures),
}

/// Figures of a call with both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Learnt coupling from customer to microphone in dB (lower edge, -45 is "none heard"); none before 1 s of customer.
    pub coupling_db: Option<f64>,
    /// Seconds in which the customer's own voice was heard on the line.
    pub customer_s: f64,
    /// Seconds of microphone withheld because they held, or could have held, the customer.
    pub withheld_s: f64,
    /// Upper estimate of the customer's power in all units called own, in dB re the customer's power on the line; none
    /// before the customer was heard. It assumes that the coupling holds also while the agent speaks, and cannot see
    /// what a coupling that has just jumped let through.
    pub residual_db: Option<f64>,
    /// Seconds of microphone called own.
    pub own_s: f64,
    /// Seconds of these in which nothing of the customer came to be compared with.
    pub uncompared_s: f64,
}

impl Figures {
    /// Whether they speak for what was called own: at least nine tenths of it were compared.
    pub fn is_compared(&self) -> bool {
        self.uncompared_s * 10.0 <= self.own_s
    }
}

#[derive(Debug)]
pub(super) struct Account {
    shares: [Level; WAITING],
    customer_units: u64,
    withheld_units: u64,
    own_units: u64,
    uncompared_units: u64,
    customer_power: u64,
    residual_power: u64,
}

impl Account {
    pub(super) const fn new() -> Account {
        Account {
            shares: [0; WAITING],
            customer_units: 0,
            withheld_units: 0,
            own_units: 0,
            uncompared_units: 0,
            customer_power: 0,
            residual_power: 0,
        }
    }

    /// One unit of an audible customer.
    pub(super) fn customer(&mut self, level: Level) {
        self.customer_units += 1;
        self.customer_power = self.customer_power.saturating_add(power(level));
    }

    /// Unit `unit` was judged: `agent` was measured, `expected` is what the customer can have caused.
    pub(super) fn judged(&mut self, unit: u64, agent: Level, expected: Level) {
        self.shares[unit as usize % WAITING] = agent.min(expected + ABOVE_EDGE);
    }

    /// Unit `unit` was called own. `compared`: there was something to compare it with.
    pub(super) fn kept(&mut self, unit: u64, compared: bool) {
        self.own_units += 1;
        self.uncompared_units += u64::from(!compared);
        let share = self.shares[unit as usize % WAITING];
        if share > 0 {
            self.residual_power = self.residual_power.saturating_add(power(share));
        }
    }

    pub(super) fn withheld(&mut self) {
        self.withheld_units += 1;
    }

    /// `coupling`: the strongest lane, if it is known.
    pub(super) fn figures(&self, coupling: Option<Level>) -> Figures {
        let heard = self.customer_power > 0;
        Figures {
            coupling_db: coupling.map(|level| decibels(i32::from(level))),
            customer_s: self.customer_units as f64 / 100.0,
            withheld_s: self.withheld_units as f64 / 100.0,
            own_s: self.own_units as f64 / 100.0,
            uncompared_s: self.uncompared_units as f64 / 100.0,
            residual_db: heard.then(|| decibels(log2(self.residual_power.max(1)) - log2(self.customer_power))),
        }
    }
}

fn decibels(level: i32) -> f64 {
    f64::from(level) * 30_103.0 / 2_560_000.0
}
