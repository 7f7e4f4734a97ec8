//! Each hot loop over a fixed number of frames, for a counter of instructions: walls lie on shared machines, counts do not.
//!
//!     tests/instructions.sh            counts, and compares with benches/instructions.txt
//!     tests/instructions.sh --write    counts, and writes it
//!
//! A frame is 20 ms at 8 kHz unless its name says otherwise; that of a detector and of a call alone is one of one side or one
//! call, whatever is decided together. What is printed is a line for each loop, in order: its name and its frames, apart by
//! a tab. What is counted is what [`counted`] does. Valgrind knows no AVX-512: the widest loop is that of AVX2, and what
//! AVX-512 is worth beside it `cargo bench --bench lanes` tells.

#[path = "../calls/mod.rs"]
mod calls;
mod loops;

use std::hint::black_box;

/// Frames of a loop.
const FRAMES: usize = 960;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sound = loops::Sound::new(&calls::samples()?);
    for (name, frames, mut work) in loops::all(&sound, FRAMES) {
        counted(&mut *work);
        println!("{name}\t{frames}");
    }
    Ok(())
}

/// What is done here is counted.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
    black_box(()); // not at its tail: it has to come back here
}
