//! Programs that leave out a stage of the flow must not compile; the files say what each one tries.

#[test]
fn no_stage_of_the_flow_can_be_skipped() {
    trybuild::TestCases::new().compile_fail("tests/flow/*.rs");
}
