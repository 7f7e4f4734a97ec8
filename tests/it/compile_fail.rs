//! The refusals that the compiler gives, kept as tests: the links of the one sentence that types can hold.

#[test]
fn the_wrong_thing_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_fail/the_right_way_compiles.rs");
    cases.compile_fail("tests/compile_fail/wrong_*.rs");
}
