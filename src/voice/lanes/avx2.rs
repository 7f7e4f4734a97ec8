//! 8 lanes in a register of AVX2. A mask is a register of all bits or none.

use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, Mul, Sub};

use super::vector::{Lanes, one_to_one};

#[derive(Clone, Copy)]
pub struct Avx2(__m256i);

one_to_one! { operators of Avx2;
    Add add: _mm256_add_epi32;
    Sub sub: _mm256_sub_epi32;
    Mul mul: _mm256_mullo_epi32;
    BitAnd bitand: _mm256_and_si256;
    BitOr bitor: _mm256_or_si256;
}

// In every `unsafe` below the instruction set is enabled (see `Lanes`); what more there is to say stands beside it.
impl Lanes<8> for Avx2 {
    type Mask = Avx2;
    type HalfMask = Avx2;

    one_to_one! { methods;
        shl_by(other): _mm256_sllv_epi32;
        shr_by(other): _mm256_srav_epi32;
        min(other): _mm256_min_epi32;
        max(other): _mm256_max_epi32;
        abs(): _mm256_abs_epi32;
        gt(other): _mm256_cmpgt_epi32;
        eq(other): _mm256_cmpeq_epi32;
        dot(other): _mm256_madd_epi16;
        add_halves(other): _mm256_add_epi16;
        sub_halves(other): _mm256_sub_epi16;
        min_halves(other): _mm256_min_epi16;
        max_halves(other): _mm256_max_epi16;
        abs_halves(): _mm256_abs_epi16;
        gt_halves(other): _mm256_cmpgt_epi16;
        eq_halves(other): _mm256_cmpeq_epi16;
    }

    // The immediate forms take an i32 where `Lanes` has a u32; from a constant the compiler makes them of these.

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Avx2(unsafe { _mm256_sll_epi32(self.0, _mm_cvtsi32_si128(BITS as i32)) })
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Avx2(unsafe { _mm256_sra_epi32(self.0, _mm_cvtsi32_si128(BITS as i32)) })
    }

    #[inline(always)]
    fn shr_zeros<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Avx2(unsafe { _mm256_srl_epi32(self.0, _mm_cvtsi32_si128(BITS as i32)) })
    }

    #[inline(always)]
    fn splat(value: i32) -> Self {
        // SAFETY: the instruction set.
        Avx2(unsafe { _mm256_set1_epi32(value) })
    }

    #[inline(always)]
    fn splat_halves(value: i16) -> Self {
        // SAFETY: the instruction set.
        Avx2(unsafe { _mm256_set1_epi16(value) })
    }

    #[inline(always)]
    fn load(row: &[i16; 8]) -> Self {
        // SAFETY: the row has the 16 bytes.
        Avx2(unsafe { _mm256_cvtepi16_epi32(_mm_loadu_si128(row.as_ptr().cast())) })
    }

    #[inline(always)]
    fn store(self, row: &mut [i16; 8]) {
        // SAFETY: the row has the 16 bytes.
        unsafe {
            let packed = _mm256_permute4x64_epi64::<0b1000>(_mm256_packs_epi32(self.0, self.0));
            _mm_storeu_si128(row.as_mut_ptr().cast(), _mm256_castsi256_si128(packed));
        }
    }

    #[inline(always)]
    fn load_wide(row: &[i32; 8]) -> Self {
        // SAFETY: the row has the 32 bytes.
        Avx2(unsafe { _mm256_loadu_si256(row.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store_wide(self, row: &mut [i32; 8]) {
        // SAFETY: the row has the 32 bytes.
        unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn load_halves(rows: &[[i16; 8]; 2]) -> Self {
        // SAFETY: the rows have the 32 bytes.
        Avx2(unsafe { _mm256_loadu_si256(rows.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store_halves(self, mask: Avx2, rows: &mut [[i16; 8]; 2]) {
        let new = Self::select_halves(mask, self, Self::load_halves(rows));
        // SAFETY: the rows have the 32 bytes.
        unsafe { _mm256_storeu_si256(rows.as_mut_ptr().cast(), new.0) }
    }

    /// Eight samples each of lanes l and l + 4 stand in one register; two rounds of unpacking turn four such registers
    /// within their halves.
    #[inline(always)]
    unsafe fn gather(frames: &[*const i16; 8], block: usize) -> [Self; 8] {
        // SAFETY: the caller says that the 16 samples are there.
        unsafe {
            let mut out = [Avx2(_mm256_setzero_si256()); 8];
            for half in 0..2 {
                let at = block * 16 + half * 8;
                let mut rows = [_mm256_setzero_si256(); 4];
                for (lane, row) in rows.iter_mut().enumerate() {
                    let first = _mm256_castsi128_si256(_mm_loadu_si128(frames[lane].add(at).cast()));
                    *row = _mm256_inserti128_si256::<1>(first, _mm_loadu_si128(frames[lane + 4].add(at).cast()));
                }
                let [a, b, c, d] = rows;
                let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
                out[half * 4] = Avx2(_mm256_unpacklo_epi64(ab, cd));
                out[half * 4 + 1] = Avx2(_mm256_unpackhi_epi64(ab, cd));
                let (ab, cd) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
                out[half * 4 + 2] = Avx2(_mm256_unpacklo_epi64(ab, cd));
                out[half * 4 + 3] = Avx2(_mm256_unpackhi_epi64(ab, cd));
            }
            out
        }
    }

    /// From the exponent as an f32. Of each run of ones only what stands eight bits or more above another is cleared
    /// first, so that no rounding reaches the next power of two.
    #[inline(always)]
    fn leading_zeros(self) -> Self {
        // SAFETY: the instruction set.
        unsafe {
            let thin = _mm256_andnot_si256(_mm256_srli_epi32::<8>(self.0), self.0);
            let exponent = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(thin)));
            // Of a negative number this is below zero, of zero above 32.
            let zeros = _mm256_sub_epi32(_mm256_set1_epi32(158), exponent);
            let zeros = _mm256_max_epi32(zeros, _mm256_setzero_si256());
            Avx2(_mm256_min_epi32(zeros, _mm256_set1_epi32(32)))
        }
    }

    #[inline(always)]
    fn quotient(self, divisor: Self) -> Self {
        // SAFETY: the instruction set.
        Avx2(unsafe { _mm256_cvttps_epi32(_mm256_div_ps(_mm256_cvtepi32_ps(self.0), _mm256_cvtepi32_ps(divisor.0))) })
    }

    #[inline(always)]
    fn above(self, other: Self) -> Self {
        // SAFETY: the instruction set.
        Avx2(unsafe { _mm256_blend_epi16::<0xaa>(_mm256_srli_epi32::<16>(other.0), self.0) })
    }

    #[inline(always)]
    fn any(mask: Avx2) -> bool {
        // SAFETY: the instruction set.
        unsafe { _mm256_movemask_epi8(mask.0) != 0 }
    }

    #[inline(always)]
    fn any_half(mask: Avx2) -> bool {
        Self::any(mask)
    }

    #[inline(always)]
    fn select(mask: Avx2, yes: Self, no: Self) -> Self {
        // SAFETY: the instruction set.
        Avx2(unsafe { _mm256_blendv_epi8(no.0, yes.0, mask.0) })
    }

    #[inline(always)]
    fn select_halves(mask: Avx2, yes: Self, no: Self) -> Self {
        Self::select(mask, yes, no)
    }
}
