"""Kafka's access rules (ACLs) of the users in `contracts/access.py`: as commands, and on the broker."""

from collections.abc import Iterable
from dataclasses import dataclass

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    NoError,
    SecurityDisabledError,
)

from judgestream.contracts.access import Operation, Right, User
from judgestream.core.errors import BrokerUnavailable, ConfigurationError

OPERATIONS: dict[Operation, ACLOperation] = {
    "Read": ACLOperation.READ,
    "Write": ACLOperation.WRITE,
    "Create": ACLOperation.CREATE,
    "Describe": ACLOperation.DESCRIBE,
    "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
}
KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One right of one principal, such as `User:judgestream-judging`."""

    principal: str
    right: Right

    def command(self, bootstrap: str) -> str:
        """The call of Kafka's own tool that adds the rule. It changes nothing if the rule exists."""
        words = ["kafka-acls.sh", "--bootstrap-server", bootstrap]
        words += ["--command-config", "admin.properties", "--add"]
        words += ["--allow-principal", f"'{self.principal}'"]
        for operation in self.right.operations:
            words += ["--operation", operation]
        words += [f"--{self.right.kind}", self.right.name]
        if self.right.prefix:
            words += ["--resource-pattern-type", "prefixed"]
        return " ".join(words)

    def acls(self) -> list[ACL]:
        """The rule for every host, an ACL for each operation."""
        pattern = (
            ACLResourcePatternType.PREFIXED if self.right.prefix else ACLResourcePatternType.LITERAL
        )
        return [
            ACL(
                principal=self.principal,
                host="*",
                operation=OPERATIONS[operation],
                permission_type=ACLPermissionType.ALLOW,
                resource_pattern=ResourcePattern(KINDS[self.right.kind], self.right.name, pattern),
            )
            for operation in self.right.operations
        ]


def rules(users: Iterable[User], *, principal: str = "") -> list[Rule]:
    """Every rule of the users. `principal`: instead of `User:` and the user's full name."""
    return [
        Rule(principal=principal or f"User:{user.full_name}", right=right)
        for user in users
        for right in user.rights
    ]


def add(client: KafkaAdminClient, wanted: Iterable[Rule]) -> int:
    """Add the rules that the broker lacks. Changes and deletes none. Returns how many ACLs were added.

    Raises:
        ConfigurationError: the broker has no authorizer, or this user may not change rules.
        BrokerUnavailable: the broker did not add them all.
    """
    acls = [acl for rule in wanted for acl in rule.acls()]
    try:
        present = {acl for name in {acl.principal for acl in acls} for acl in _of(client, name)}
        missing = [acl for acl in acls if acl not in present]
        failed = client.create_acls(missing)["failed"] if missing else []
    except ClusterAuthorizationFailedError as exc:
        raise ConfigurationError(
            "this user may not see or change access rules: use a super user of the broker, or grant it"
            " Alter and Describe on the cluster"
        ) from exc
    except SecurityDisabledError as exc:
        raise ConfigurationError(
            "the broker has no authorizer, so everyone may do everything: set authorizer.class.name in its"
            " properties"
        ) from exc
    except KafkaError as exc:
        raise BrokerUnavailable(f"the access rules could not be added: {exc}") from exc
    if failed:
        raise BrokerUnavailable(
            f"{len(failed)} of {len(missing)} access rules were not added:"
            f" {', '.join(sorted({error.__name__ for error in failed}))}"
        )
    return len(missing)


def _of(client: KafkaAdminClient, principal: str) -> list[ACL]:
    """The principal's rules on the broker."""
    found, error = client.describe_acls(
        ACLFilter(
            principal=principal,
            host=None,
            operation=ACLOperation.ANY,
            permission_type=ACLPermissionType.ANY,
            resource_pattern=ResourcePatternFilter(
                ResourceType.ANY, None, ACLResourcePatternType.ANY
            ),
        )
    )
    if error is not NoError:
        raise error()
    return list(found)
