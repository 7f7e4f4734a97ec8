//! The remote parties of a call: who is on the line, what each was told, what each decided (CON-14).

use serde::{Deserialize, Serialize};

use super::event::Notice;

/// Most remote parties at once; a conference beyond this is kept agent-only.
pub const PARTIES_MAX: usize = 64;

/// A remote party's name within its call. Not a telephone number: that would be personal data (ANO-02).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartyId(pub String);

impl Default for PartyId {
    /// The party that is there from the beginning.
    fn default() -> PartyId {
        PartyId("customer".into())
    }
}

/// What a remote party decided. `Granted` holds the number of the grant in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet: the door stays shut (CON-01).
    Undecided,
    /// Yes, by the grant with this number.
    Granted(u32),
    /// No (CON-09).
    Refused,
    /// Yes once, taken back.
    Withdrawn,
    /// Yes once, by a token that ran out (CON-16).
    Expired,
}

impl Standing {
    /// Whether it is a no, said at once or after a yes.
    pub fn is_no(self) -> bool {
        matches!(self, Standing::Refused | Standing::Withdrawn)
    }
}

/// One remote party.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its name.
    pub id: PartyId,
    /// The last announcement made to it.
    pub told: Option<Notice>,
    /// Its decision.
    pub standing: Standing,
}

/// The remote parties on the line.
#[derive(Clone, Debug)]
pub struct Roster {
    remotes: Vec<Remote>,
    overfull: bool,
    /// Whoever left last had said no.
    left_with_no: bool,
}

impl Default for Roster {
    fn default() -> Roster {
        Roster { remotes: vec![Remote::new(PartyId::default())], overfull: false, left_with_no: false }
    }
}

impl Remote {
    fn new(id: PartyId) -> Remote {
        Remote { id, told: None, standing: Standing::Undecided }
    }
}

impl Roster {
    /// Everyone on the line.
    pub fn iter(&self) -> impl Iterator<Item = &Remote> {
        self.remotes.iter()
    }

    /// Everyone on the line.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Remote> {
        self.remotes.iter_mut()
    }

    /// The party with this name, if it is on the line.
    pub fn find(&mut self, id: &PartyId) -> Option<&mut Remote> {
        self.remotes.iter_mut().find(|remote| remote.id == *id)
    }

    /// A party comes on the line, undecided. One that is there already starts anew: the same name may be another
    /// person after a transfer. But a no of that name stands: joining never opens further (CON-09, CON-15).
    pub fn join(&mut self, id: PartyId) {
        if let Some(remote) = self.find(&id) {
            let standing = if remote.standing.is_no() { remote.standing } else { Standing::Undecided };
            *remote = Remote { standing, ..Remote::new(id) };
        } else if self.remotes.len() < PARTIES_MAX {
            self.remotes.push(Remote::new(id));
        } else {
            self.overfull = true;
        }
    }

    /// A party leaves the line; false if it was not there.
    pub fn leave(&mut self, id: &PartyId) -> bool {
        let Some(at) = self.remotes.iter().position(|remote| remote.id == *id) else { return false };
        self.left_with_no = self.remotes.remove(at).standing.is_no();
        true
    }

    /// Whether somebody on the line has said no; on a line that all have left, whether the last of them had.
    pub fn says_no(&self) -> bool {
        self.remotes.iter().any(|remote| remote.standing.is_no()) || self.remotes.is_empty() && self.left_with_no
    }

    /// The numbers of the grants in force, if there is one for everyone on the line and someone is there (CON-14).
    pub fn unanimous(&self) -> Option<Vec<u32>> {
        if self.overfull || self.remotes.is_empty() {
            return None;
        }
        self.remotes
            .iter()
            .map(|remote| match remote.standing {
                Standing::Granted(grant) => Some(grant),
                _ => None,
            })
            .collect()
    }
}
