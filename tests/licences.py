#!/usr/bin/env python3
"""Checks that every crate of the lock file has a licence that .cargo/deny.toml allows.

A small stand-in for `cargo deny check licenses`, which takes minutes to install: it believes what a crate says of itself.
"""

import json
import re
import subprocess
import sys


def main():
    allowed = allowed_licences(".cargo/deny.toml")
    bad = [(name, said) for name, said in licences() if not permits(said, allowed)]
    for name, said in bad:
        print(f"{name}: {said or 'no licence given'} is not among the licences that .cargo/deny.toml allows")
    return 1 if bad else 0


def allowed_licences(path):
    """The strings of the list `allow` in section [licenses]."""
    with open(path, encoding="utf-8") as file:
        section = file.read().split("[licenses]")[1]
    return set(re.findall(r'"([^"]+)"', re.search(r"^allow = \[(.*?)\]", section, re.S | re.M).group(1)))


def licences():
    """Name and licence of every crate that any feature and target can bring in."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return [(f"{package['name']} {package['version']}", package["license"]) for package in metadata["packages"]]


def permits(said, allowed):
    """Whether an SPDX expression (with the old `/` for OR) can be met by allowed licences."""
    if not said:
        return False
    words = re.findall(r"[()]|[^\s()]+", said.replace("/", " OR "))

    def any_of():
        met = all_of()
        while words and words[0] == "OR":
            words.pop(0)
            met = all_of() or met
        return met

    def all_of():
        met = one()
        while words and words[0] == "AND":
            words.pop(0)
            met = one() and met
        return met

    def one():
        word = words.pop(0)
        if word == "(":
            met = any_of()
            words.pop(0)
            return met
        if words and words[0] == "WITH":
            word = f"{word} WITH {words.pop(1)}"
            words.pop(0)
        return word in allowed

    return any_of() and not words


if __name__ == "__main__":
    sys.exit(main())
