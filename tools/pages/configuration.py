"""The page on the settings: how they are given, then every one of them."""

from fairlead.config.page import settings_tables
from tools.pages.text import NOTE


def configuration() -> str:
    """Return the page."""
    return _CONFIGURATION.format(note=NOTE, tables=settings_tables())


_CONFIGURATION = """\
# Configuration

{note}

Everything has a default: `fairlead up` needs no configuration. A setting is given, in rising priority, by

1. a TOML file, `--config FILE` or `FAIRLEAD_CONFIG`;
2. the environment: `FAIRLEAD_` and the setting's name in capitals, dots as `_`
   (`FAIRLEAD_ENGINE_ASK_DELAY_MS=500`); lists are separated by spaces, quantities are `BTC=100 USDT=2500.50`;
3. a flag, where the tables below name one.

An unknown or wrong setting stops the start: every one is named, with its line and what would be right.
Nothing is taken for what it is not: in the file numbers, `true` and `false` stand without quotes and lists in
brackets, only a quantity may be quoted; in the environment yes and no are `true` and `false` too.
`fairlead config show` prints every setting, its value and where that comes from; secrets are masked. Paths
in the file start from the file's folder, all others from the working directory.

```toml title="fairlead.toml"
data = "/var/lib/fairlead"
listen = "127.0.0.1:3080"

[[accounts]]
exchange_id = "SIM"

[[accounts]]
exchange_id = "SIM/ALICE"
[accounts.parameters]
PublicApiKey = "alice"
PrivateApiKey = "alices-secret"

[exchange]
seed = 7
starting_balances = {{ BTC = 10, USDT = "250000.50" }}

[engine]
order_answer_timeout_ms = 3000
```

```console
$ .venv/bin/fairlead config show --config fairlead.toml --changed
setting                         value                                                         from
accounts                        SIM, SIM/ALICE (PublicApiKey = "alice", PrivateApiKey = ***)  fairlead.toml:4
data                            "/var/lib/fairlead"                                           fairlead.toml:1
...
exchange.seed                   7                                                             fairlead.toml:14
exchange.starting_balances      {{BTC = 10, USDT = 250000.50}}                                fairlead.toml:15
...
engine.order_answer_timeout_ms  3000                                                          fairlead.toml:18
...
```

## Accounts

`[[accounts]]`, `--account SIM/ALICE` (repeatable) or `FAIRLEAD_ACCOUNTS="SIM SIM/ALICE"`; without any there
is one, `SIM`. An account is an exchange (`SIM` is the only one so far) and an optional tag: a separator of
`~/.,:;!@#$%^&*-_+=` and 1 to 64 letters, digits and separators. Its parameters are what the exchange's
login asks for, all or none: SIM's are `PublicApiKey` and `PrivateApiKey`.

An account without parameters gets a pair that is made once. Each account is imported into the control plane
the first time that its name is seen, and kept there from then on, whatever the configuration says later:
[Accounts](../operations/accounts.md).

## Open network

Without `authentication = "keys"` nobody is asked who they are, so an address that is not loopback is refused,
unless `--allow-open-network` says that everybody who can reach it may trade. Host names other than
`localhost` are not looked up and count as not loopback. [API keys](../operations/keys.md) says what keys are
and may.

## Settings

{tables}"""
