//! The command line itself.

use clap::CommandFactory;

use super::*;

#[test]
fn the_arguments_are_consistent_and_every_verb_has_an_example() {
    let command = Cli::command();
    command.clone().debug_assert();
    for verb in command.get_subcommands() {
        let help = verb.clone().render_long_help().to_string();
        assert!(help.contains("Examples:\n  ntmc "), "{}", verb.get_name());
        assert!(verb.get_about().is_some(), "{}", verb.get_name());
    }
}

#[test]
fn wrong_usage_is_refused() {
    let parse = |line: &str| Cli::try_parse_from(line.split(' '));
    assert!(parse("ntmc run").is_err());
    assert!(parse("ntmc run a.ntm --steps 0").is_err());
    assert!(parse("ntmc run a.ntm --out a --resume b").is_err());
    assert!(parse("ntmc run --resume b --steps 10").is_ok());
    assert!(parse("ntmc run - --time 60s --json --color never --set N=2 --set W=3").is_ok());
}
