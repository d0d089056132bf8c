"""What the accountants of dp_accounting say of an account, beside what its ledger says.

    pk ledger export DATASET --out events.json; pk ledger show DATASET --json > account.json
    python3 price.py events.json account.json

Fails if the ledger says less than the library. Needs dp_accounting. For Gaussian noise alone, and for pure accounts, both say
the same; Laplace noise on a Gaussian account costs the ledger more, since it adds up mu^2 whatever the noise.
"""
import json
import sys

import attr
from dp_accounting import NeighboringRelation, dp_event
from dp_accounting.pld import PLDAccountant

# The library's losses are rounded up to multiples of this, for each event.
INTERVAL = 1e-5


def event_of(node):
    """A DpEvent from its JSON; what the library does not know (release, reserved, recovered) is a remark."""
    event = getattr(dp_event, node["class_name"])
    fields = {field.name: node[field.name] for field in attr.fields(event)}
    if "events" in fields:
        fields["events"] = [event_of(part) for part in fields["events"]]
    return event(**fields)


def epsilon_of(export, delta):
    relation = NeighboringRelation[export["neighboring_relation"]]
    accountant = PLDAccountant(relation, value_discretization_interval=INTERVAL)
    return accountant.compose(event_of(export["event"])).get_epsilon(delta)


export, account = (json.load(open(name)) for name in sys.argv[1:])
spent, count = account["spent"], len(export["event"]["events"])
theirs = epsilon_of(export, spent["delta"])
print(f"{account['population']}: {count} events, {export['neighboring_relation']}, delta {spent['delta']}: "
      f"ledger {spent['epsilon']:.6f}, dp_accounting {theirs:.6f}")
if spent["epsilon"] < theirs - count * INTERVAL:
    sys.exit("the ledger says less than was spent")
