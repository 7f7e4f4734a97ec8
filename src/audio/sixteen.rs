//! Sixteen 16-bit samples at a time: what the hot measurements are written in, once, for the registers of the machine.
//!
//! On x86-64 with AVX2 a [`Sixteen`] is one register (by the crate `pulp`, whose tokens prove at run time that the machine has
//! it); elsewhere it is an array, which the compiler spreads over what registers there are. All of it is integers: every
//! machine gets the same numbers.

use super::wide::ARCH;

/// Sixteen samples at a time. Where it says so, sums saturate.
pub trait Sixteen: Copy {
    /// Sixteen samples.
    type Samples: Copy;
    /// Eight 32-bit sums.
    type Sums: Copy;

    /// These samples.
    fn load(self, from: &[i16; 16]) -> Self::Samples;
    /// The samples as an array.
    fn store(self, samples: Self::Samples) -> [i16; 16];
    /// Sixteen times the same.
    fn splat(self, sample: i16) -> Self::Samples;
    /// The bits that both have.
    fn and(self, a: Self::Samples, b: Self::Samples) -> Self::Samples;
    /// a + b, saturated.
    fn plus(self, a: Self::Samples, b: Self::Samples) -> Self::Samples;
    /// a - b, saturated.
    fn minus(self, a: Self::Samples, b: Self::Samples) -> Self::Samples;
    /// Each shifted right by three bits, towards minus infinity.
    fn eighth(self, a: Self::Samples) -> Self::Samples;
    /// The smaller of each two.
    fn min(self, a: Self::Samples, b: Self::Samples) -> Self::Samples;
    /// The larger of each two.
    fn max(self, a: Self::Samples, b: Self::Samples) -> Self::Samples;
    /// All bits where a > b, none elsewhere.
    fn gt(self, a: Self::Samples, b: Self::Samples) -> Self::Samples;
    /// Of each two the first where the mask has all bits, the second where it has none.
    fn select(self, mask: Self::Samples, a: Self::Samples, b: Self::Samples) -> Self::Samples;
    /// The largest of them.
    fn largest(self, a: Self::Samples) -> i16;
    /// Sums of nothing.
    fn zero(self) -> Self::Sums;
    /// `sums` and the products of each two neighbours: `a[0]·b[0] + a[1]·b[1]` and so on. Wraps.
    fn add_products(self, sums: Self::Sums, a: Self::Samples, b: Self::Samples) -> Self::Sums;
    /// The eight sums.
    fn sums(self, sums: Self::Sums) -> [i32; 8];
    /// The totals of four. They have to fit 32 bits.
    fn totals(self, four: [Self::Sums; 4]) -> [i32; 4];

    /// Sixteen samples from `at` on.
    #[inline(always)]
    fn at(self, samples: &[i16], at: usize) -> Self::Samples {
        self.load(samples[at..at + 16].first_chunk().expect("sixteen are there"))
    }
}

/// Work that is written for any [`Sixteen`]. `call`, and what it calls, must be inlined (`#[inline(always)]`), and have no
/// closures on the way to a method of `Sixteen`, because these are not.
pub trait BySixteen {
    /// What comes of it.
    type Output;

    /// Does the work.
    fn call(self, simd: impl Sixteen) -> Self::Output;
}

/// Does the work with the registers of this machine.
#[inline(always)]
pub fn by_sixteen<W: BySixteen>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let pulp::Arch::V3(simd) = *ARCH {
        return simd.vectorize(avx2::InRegisters { simd, work });
    }
    work.call(Plain)
}

/// Arrays.
#[derive(Clone, Copy)]
pub struct Plain;

impl Plain {
    #[inline(always)]
    fn each(a: [i16; 16], b: [i16; 16], with: impl Fn(i16, i16) -> i16) -> [i16; 16] {
        let mut out = [0; 16];
        for i in 0..16 {
            out[i] = with(a[i], b[i]);
        }
        out
    }
}

impl Sixteen for Plain {
    type Samples = [i16; 16];
    type Sums = [i32; 8];

    #[inline(always)]
    fn load(self, from: &[i16; 16]) -> [i16; 16] {
        *from
    }

    #[inline(always)]
    fn store(self, samples: [i16; 16]) -> [i16; 16] {
        samples
    }

    #[inline(always)]
    fn splat(self, sample: i16) -> [i16; 16] {
        [sample; 16]
    }

    #[inline(always)]
    fn and(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        Plain::each(a, b, |a, b| a & b)
    }

    #[inline(always)]
    fn plus(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        Plain::each(a, b, i16::saturating_add)
    }

    #[inline(always)]
    fn minus(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        Plain::each(a, b, i16::saturating_sub)
    }

    #[inline(always)]
    fn eighth(self, a: [i16; 16]) -> [i16; 16] {
        Plain::each(a, a, |a, _| a >> 3)
    }

    #[inline(always)]
    fn min(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        Plain::each(a, b, Ord::min)
    }

    #[inline(always)]
    fn max(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        Plain::each(a, b, Ord::max)
    }

    #[inline(always)]
    fn gt(self, a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        Plain::each(a, b, |a, b| -i16::from(a > b))
    }

    #[inline(always)]
    fn select(self, mask: [i16; 16], a: [i16; 16], b: [i16; 16]) -> [i16; 16] {
        let (yes, no) = (Plain::each(mask, a, |mask, a| mask & a), Plain::each(mask, b, |mask, b| !mask & b));
        Plain::each(yes, no, |yes, no| yes | no)
    }

    #[inline(always)]
    fn largest(self, a: [i16; 16]) -> i16 {
        a.into_iter().fold(i16::MIN, i16::max)
    }

    #[inline(always)]
    fn zero(self) -> [i32; 8] {
        [0; 8]
    }

    #[inline(always)]
    fn add_products(self, mut sums: [i32; 8], a: [i16; 16], b: [i16; 16]) -> [i32; 8] {
        let products = |i: usize| {
            let product = |at: usize| i32::from(a[at]) * i32::from(b[at]);
            // Only twice the product of the two lowest samples exceeds 31 bits.
            product(2 * i).wrapping_add(product(2 * i + 1))
        };
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = sum.wrapping_add(products(i));
        }
        sums
    }

    #[inline(always)]
    fn sums(self, sums: [i32; 8]) -> [i32; 8] {
        sums
    }

    #[inline(always)]
    fn totals(self, four: [[i32; 8]; 4]) -> [i32; 4] {
        four.map(|sums| sums.iter().fold(0i32, |total, sum| total.wrapping_add(*sum)))
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{__m128i, __m256i};

    use pulp::x86::V3;

    use super::{BySixteen, Sixteen};

    /// Work to be compiled for AVX2.
    pub struct InRegisters<W> {
        pub simd: V3,
        pub work: W,
    }

    impl<W: BySixteen> pulp::NullaryFnOnce for InRegisters<W> {
        type Output = W::Output;

        #[inline(always)]
        fn call(self) -> W::Output {
            self.work.call(Avx2(self.simd))
        }
    }

    /// One register of 256 bits.
    #[derive(Clone, Copy)]
    pub struct Avx2(V3);

    impl Sixteen for Avx2 {
        type Samples = __m256i;
        type Sums = __m256i;

        #[inline(always)]
        fn load(self, from: &[i16; 16]) -> __m256i {
            pulp::cast(*from)
        }

        #[inline(always)]
        fn store(self, samples: __m256i) -> [i16; 16] {
            pulp::cast(samples)
        }

        #[inline(always)]
        fn splat(self, sample: i16) -> __m256i {
            self.0.avx._mm256_set1_epi16(sample)
        }

        #[inline(always)]
        fn and(self, a: __m256i, b: __m256i) -> __m256i {
            self.0.avx2._mm256_and_si256(a, b)
        }

        #[inline(always)]
        fn plus(self, a: __m256i, b: __m256i) -> __m256i {
            self.0.avx2._mm256_adds_epi16(a, b)
        }

        #[inline(always)]
        fn minus(self, a: __m256i, b: __m256i) -> __m256i {
            self.0.avx2._mm256_subs_epi16(a, b)
        }

        #[inline(always)]
        fn eighth(self, a: __m256i) -> __m256i {
            self.0.avx2._mm256_srai_epi16::<3>(a)
        }

        #[inline(always)]
        fn min(self, a: __m256i, b: __m256i) -> __m256i {
            self.0.avx2._mm256_min_epi16(a, b)
        }

        #[inline(always)]
        fn max(self, a: __m256i, b: __m256i) -> __m256i {
            self.0.avx2._mm256_max_epi16(a, b)
        }

        #[inline(always)]
        fn gt(self, a: __m256i, b: __m256i) -> __m256i {
            self.0.avx2._mm256_cmpgt_epi16(a, b)
        }

        #[inline(always)]
        fn select(self, mask: __m256i, a: __m256i, b: __m256i) -> __m256i {
            self.0.avx2._mm256_blendv_epi8(b, a, mask)
        }

        #[inline(always)]
        fn largest(self, a: __m256i) -> i16 {
            let [low, high]: [__m128i; 2] = pulp::cast(a);
            // There is an instruction for the smallest of eight without sign: turned round, the largest is that.
            let turn = self.0.sse2._mm_set1_epi16(i16::MAX);
            let turned = self.0.sse2._mm_xor_si128(self.0.sse2._mm_max_epi16(low, high), turn);
            let found: [i16; 8] = pulp::cast(self.0.sse4_1._mm_minpos_epu16(turned));
            found[0] ^ i16::MAX
        }

        #[inline(always)]
        fn zero(self) -> __m256i {
            self.0.avx._mm256_setzero_si256()
        }

        #[inline(always)]
        fn add_products(self, sums: __m256i, a: __m256i, b: __m256i) -> __m256i {
            self.0.avx2._mm256_add_epi32(sums, self.0.avx2._mm256_madd_epi16(a, b))
        }

        #[inline(always)]
        fn sums(self, sums: __m256i) -> [i32; 8] {
            pulp::cast(sums)
        }

        #[inline(always)]
        fn totals(self, [a, b, c, d]: [__m256i; 4]) -> [i32; 4] {
            let avx2 = self.0.avx2;
            let halves = avx2._mm256_hadd_epi32(avx2._mm256_hadd_epi32(a, b), avx2._mm256_hadd_epi32(c, d));
            let [low, high]: [[i32; 4]; 2] = pulp::cast(halves);
            pulp::cast(self.0.sse2._mm_add_epi32(pulp::cast(low), pulp::cast(high)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a `Sixteen` can do, on extremes and on noise.
    struct All([i16; 16], [i16; 16]);

    type Found = ([[i16; 16]; 9], [i16; 3], [i32; 8], [i32; 4]);

    impl BySixteen for All {
        type Output = Found;

        #[inline(always)]
        fn call(self, simd: impl Sixteen) -> Found {
            let (a, b) = (simd.load(&self.0), simd.load(&self.1));
            let samples = [
                simd.and(a, b),
                simd.plus(a, b),
                simd.minus(a, b),
                simd.eighth(a),
                simd.min(a, b),
                simd.max(a, b),
                simd.gt(a, b),
                simd.select(simd.gt(a, b), b, a),
                simd.plus(simd.splat(self.0[0]), simd.at(&self.1, 0)),
            ];
            let products = simd.add_products(simd.add_products(simd.zero(), a, b), b, b);
            let small = simd.add_products(simd.zero(), simd.eighth(simd.eighth(a)), simd.splat(1));
            let four = [small, simd.zero(), simd.add_products(small, simd.splat(1), simd.splat(2)), small];
            let largest = [simd.largest(a), simd.largest(b), simd.largest(simd.eighth(simd.min(a, b)))];
            (samples.map(|samples| simd.store(samples)), largest, simd.sums(products), simd.totals(four))
        }
    }

    #[test]
    fn every_machine_gets_the_same_numbers() {
        let mut state = 1u32;
        let mut noise = || -> [i16; 16] {
            std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                match state >> 28 {
                    0 => i16::MIN,
                    1 => i16::MAX,
                    shift => (state >> 8) as i16 >> shift,
                }
            })
        };
        for _ in 0..10_000 {
            let (a, b) = (noise(), noise());
            assert_eq!(by_sixteen(All(a, b)), All(a, b).call(Plain), "{a:?}, {b:?}");
        }
        let lowest = [i16::MIN; 16];
        assert_eq!(by_sixteen(All(lowest, lowest)), All(lowest, lowest).call(Plain));
    }
}
