//! The right way: a frame is cleared by the gate after a told and a grant, and read before the next event.
use oneside::audio::{Customer, Frame, MediaTime};
use oneside::consent::{Act, Decision, Event, Gate, Notice, PartyId, Stamped, Terms};

fn main() {
    let mut gate = Gate::new(Terms::default(), Vec::new());
    let notice = Notice { notice: "std".into(), version: "1".into(), language: None };
    gate.apply(&Stamped::new(0, None, Event::Told { party: None, notice }, 8_000));
    let decision = Decision {
        party: PartyId::default(),
        act: Act::Dtmf { digit: '1' },
        purposes: vec!["training".into()],
        basis: None,
    };
    gate.apply(&Stamped::new(0, None, Event::Granted(decision), 8_000));
    let sound = [1, 2, 3];
    let frame: Frame<'_, Customer> = Frame::new(MediaTime(0), &sound);
    let cleared = gate.customer(frame).expect("a grant stands");
    assert_eq!(cleared.samples(), &sound);
    gate.apply(&Stamped::new(1_000_000, None, Event::HungUp, 8_000));
    assert!(gate.customer(frame).is_err());
}
