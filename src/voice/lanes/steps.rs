//! The steps of a decision, compiled for each set of instructions.

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
use super::decide::{self, Settings};
use super::energy::Heights;
use super::group::Group;
use super::layout::{self, Abreast};
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::sse41::Sse41;
use super::tables::BANDS;
use super::vector::Lanes;
use crate::voice::Speech;

/// What was measured of a frame: whether there is sound at all, and the features, Q4.
pub type Features = (bool, [i16; BANDS]);

/// What was measured of one frame of each lane.
#[derive(Clone, Copy, Debug)]
pub struct Heard<const N: usize> {
    /// The features, Q4.
    pub features: [[i16; N]; BANDS],
    /// -1 where there is sound at all.
    pub has_sound: [i16; N],
}

type Decide<const N: usize> = fn(&mut Group<N>, &mut Heights<N>, &[&[i16]; N], &Settings) -> [bool; N];
type Hear<const N: usize> = fn(&mut Group<N>, &mut Heights<N>, &[&[i16]; N], &Settings) -> Heard<N>;
type Judge<const N: usize> = fn(&mut Group<N>, &[Features], &Settings, &mut [Speech]);

/// The steps with one set of instructions; made only where the machine has it.
#[derive(Clone, Copy, Debug)]
pub struct Steps<const N: usize> {
    /// Measures and judges the lanes whose frames are not empty.
    pub decide: Decide<N>,
    /// Measures these.
    pub hear: Hear<N>,
    /// Judges frame after frame of one lane, whose bands lie abreast, by what was measured of them.
    pub judge: Judge<N>,
}

#[inline(always)]
fn hear<V: Lanes<N>, const N: usize>(
    group: &mut Group<N>,
    heights: &mut Heights<N>,
    frames: &[&[i16]; N],
    settings: &Settings,
) -> Heard<N> {
    let (features, mask, _) = decide::hear::<V, N>(group, heights, frames, settings);
    let mut has_sound = [0; N];
    V::select(mask, V::splat(-1), V::splat(0)).store(&mut has_sound);
    Heard { features, has_sound }
}

#[inline(always)]
fn judge<V: Lanes<N>, const N: usize>(
    alone: &mut Group<N>,
    heard: &[Features],
    settings: &Settings,
    speech: &mut [Speech],
) {
    let all = V::splat(0).eq(V::splat(0));
    for ((has_sound, features), speech) in heard.iter().zip(speech) {
        let has_sound = V::splat(i32::from(*has_sound)).gt(V::splat(0));
        let features = layout::abreast::<N>(features);
        let found = decide::judge::<V, Abreast, N>(alone, &features, has_sound, all, settings);
        *speech = Speech(found[0]);
    }
}

/// A function that makes the steps with a set of instructions.
macro_rules! steps {
    ($(#[$attribute:meta])* $name:ident: $lanes:ty, $width:literal $(, $features:literal)?) => {
        $(#[$attribute])*
        pub fn $name() -> Steps<$width> {
            const N: usize = $width;
            $(#[target_feature(enable = $features)])?
            fn decide_here(group: &mut Group<N>, heights: &mut Heights<N>, frames: &[&[i16]; N], settings: &Settings)
                -> [bool; N]
            {
                decide::decide::<$lanes, N>(group, heights, frames, settings)
            }
            $(#[target_feature(enable = $features)])?
            fn hear_here(group: &mut Group<N>, heights: &mut Heights<N>, frames: &[&[i16]; N], settings: &Settings)
                -> Heard<N>
            {
                hear::<$lanes, N>(group, heights, frames, settings)
            }
            $(#[target_feature(enable = $features)])?
            fn judge_here(alone: &mut Group<N>, heard: &[Features], settings: &Settings, speech: &mut [Speech]) {
                judge::<$lanes, N>(alone, heard, settings, speech)
            }
            assert!($(has($features) &&)? true, "the machine has these instructions");
            #[allow(unused_unsafe)] // without a set of instructions nothing is unsafe
            Steps {
                // SAFETY: the machine was asked just now.
                decide: |g, h, f, s| unsafe { decide_here(g, h, f, s) },
                // SAFETY: as above.
                hear: |g, h, f, s| unsafe { hear_here(g, h, f, s) },
                // SAFETY: as above.
                judge: |g, h, s, d| unsafe { judge_here(g, h, s, d) },
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
fn has(features: &str) -> bool {
    match features {
        AVX512 => {
            is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512cd")
        }
        "avx2" => is_x86_feature_detected!("avx2"),
        _ => is_x86_feature_detected!("sse4.1"),
    }
}

#[cfg(target_arch = "x86_64")]
const AVX512: &str = "avx512f,avx512bw,avx512cd";

/// Whether there are instructions for sixteen lanes, eight, and four.
pub fn available() -> [bool; 3] {
    #[cfg(target_arch = "x86_64")]
    return [has(AVX512), has("avx2"), has("sse4.1")];
    #[cfg(not(target_arch = "x86_64"))]
    [false; 3]
}

steps!(#[cfg(target_arch = "x86_64")] sixteen: Avx512, 16, "avx512f,avx512bw,avx512cd");
steps!(#[cfg(target_arch = "x86_64")] eight: Avx2, 8, "avx2");
steps!(#[cfg(target_arch = "x86_64")] four_sse41: Sse41, 4, "sse4.1");
steps!(four: Portable<4>, 4);
steps!(one: Portable<1>, 1);
