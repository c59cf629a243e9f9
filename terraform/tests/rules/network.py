"""The VPC, its subnets, the routes out, and the allowed traffic."""

from . import change, remove, rule

ZONES = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
ANYWHERE = ("0.0.0.0/0", "::/0")


SUBNETS = {"public": (1, 2, 3), "application": (11, 12, 13), "database": (21, 22, 23)}


@rule(
    change("aws_vpc", cidr_block="10.1.0.0/16"),
    change("aws_subnet", '"public-', cidr_block="10.0.9.0/24"),
    change("aws_subnet", '"application-', availability_zone="eu-west-1a"),
    remove("aws_subnet", '"database-', count=1),
    planned=True,
)
def subnets(stack):
    """Three tiers across three zones."""
    assert stack.one("aws_vpc")["cidr_block"] == "10.0.0.0/16"
    found = sorted((subnet["tags"]["Tier"], subnet["availability_zone"], subnet["cidr_block"]) for subnet in stack.all("aws_subnet"))
    assert found == sorted((tier, zone, f"10.0.{octet}.0/24") for tier, octets in SUBNETS.items() for zone, octet in zip(ZONES, octets))


@rule(remove("aws_ec2_subnet_cidr_reservation", count=1), planned=True)
def pods_have_blocks_of_addresses(stack):
    """Half of each application subnet is reserved, so that single addresses do not fragment it."""
    reserved = {(part["reservation_type"], part["cidr_block"]) for part in stack.all("aws_ec2_subnet_cidr_reservation")}
    assert reserved == {("prefix", f"10.0.{octet}.128/25") for octet in (11, 12, 13)}


def ways_out(stack):
    """Subnet -> where its default route leads: the zone of a NAT gateway in a public subnet, "internet" or None."""
    public = {subnet["id"]: subnet["availability_zone"] for subnet in stack.all("aws_subnet", '"public-')}
    gateways = {gateway["id"]: public[gateway["subnet_id"]] for gateway in stack.all("aws_nat_gateway")}
    gateways |= {gateway["id"]: "internet" for gateway in stack.all("aws_internet_gateway")}
    tables = {}
    for route in stack.all("aws_route"):
        if route["destination_cidr_block"] in ANYWHERE:
            tables[route["route_table_id"]] = gateways[route["nat_gateway_id"] or route["gateway_id"]]
    return {link["subnet_id"]: tables.get(link["route_table_id"]) for link in stack.all("aws_route_table_association")}


def route_database_out(stack):
    table = stack.one("aws_route_table", "aws_route_table.database")["id"]
    gateway = stack.one("aws_internet_gateway")["id"]
    route = {"destination_cidr_block": "0.0.0.0/0", "route_table_id": table, "gateway_id": gateway, "nat_gateway_id": ""}
    stack.resources.append({"type": "aws_route", "address": "added", "mode": "managed", "values": route})


def swap_nat(stack):
    first = stack.all("aws_nat_gateway")[0]["id"]
    change("aws_route", "aws_route.nat", nat_gateway_id=first)(stack)


@rule(
    route_database_out,
    swap_nat,
    remove("aws_route", "aws_route.internet"),
    remove("aws_nat_gateway", count=1),
    change("aws_nat_gateway", subnet_id="elsewhere"),
)
def each_tier_has_its_way_out(stack):
    way = ways_out(stack)
    for subnet in stack.all("aws_subnet"):
        expected = {"public": "internet", "application": subnet["availability_zone"], "database": None}
        assert way[subnet["id"]] == expected[subnet["tags"]["Tier"]], subnet["tags"]["Name"]


def edges(stack):
    """(from, to, port) of every flow that two security groups, or one and an address range, allow."""
    names = {group["id"]: group["name"].removeprefix("birthday-production-") for group in stack.all("aws_security_group")}
    ways = {"ingress": set(), "egress": set()}
    for direction, known in ways.items():
        for entry in stack.all(f"aws_vpc_security_group_{direction}_rule"):
            own = names[entry["security_group_id"]]
            other = names.get(entry["referenced_security_group_id"]) or entry["cidr_ipv4"] or entry["cidr_ipv6"]
            port = "all" if entry["ip_protocol"] == "-1" else entry["from_port"]
            assert port == "all" or entry["from_port"] == entry["to_port"], "a range of ports"
            known.add((other, own, port) if direction == "ingress" else (own, other, port))
    return ways


FLOWS = {
    ("load-balancer", "nodes", 8080),
    ("load-balancer", "nodes", 15021),
    ("control-plane", "nodes", 10250),
    ("control-plane", "nodes", 15017),
    ("control-plane", "nodes", 15012),
    ("control-plane", "nodes", 9443),
    ("nodes", "control-plane", 443),
    ("nodes", "database", 5432),
    ("nodes", "endpoints", 443),
    ("nodes", "nodes", "all"),
    ("rotation", "database", 5432),
    ("rotation", "endpoints", 443),
}


@rule(
    change("aws_vpc_security_group_ingress_rule", '"queries"', referenced_security_group_id=None, cidr_ipv4="10.0.0.0/16"),
    change("aws_vpc_security_group_egress_rule", '"queries"', to_port=6000),
    remove("aws_vpc_security_group_ingress_rule", '"istio_webhook"'),
)
def security_group_graph(stack):
    ways = edges(stack)
    assert ways["ingress"] == FLOWS | {("0.0.0.0/0", "load-balancer", 80), ("0.0.0.0/0", "load-balancer", 443)}
    assert ways["egress"] == FLOWS | {("nodes", "0.0.0.0/0", 443)}


def acl(stack, tier, direction):
    """(range, first port, last port) that a tier's ACL allows; "all" for any port of any protocol."""
    return {
        (rule["cidr_block"], "all", "all") if rule["protocol"] == "-1" else (rule["cidr_block"], rule["from_port"], rule["to_port"])
        for rule in stack.all("aws_network_acl_rule", f'"{tier}-{direction}-')
    }


@rule(
    change("aws_network_acl_rule", "database-ingress", cidr_block="0.0.0.0/0"),
    change("aws_network_acl_rule", "database-egress", to_port=443),
    change("aws_network_acl_rule", "public-ingress", from_port=0),
    change("aws_network_acl_rule", "public-egress", cidr_block="10.0.0.0/16"),
    change("aws_network_acl_rule", "application-ingress", cidr_block="0.0.0.0/0"),
    change("aws_network_acl_rule", "application-egress", rule_action="deny"),
    remove("aws_network_acl", "database"),
    planned=True,
)
def network_acls(stack):
    assert len(stack.all("aws_network_acl")) == 3
    assert {rule["rule_action"] for rule in stack.all("aws_network_acl_rule")} == {"allow"}
    vpc, anywhere, answers = "10.0.0.0/16", "0.0.0.0/0", (1024, 65535)
    application, database = ([f"10.0.{octet + zone}.0/24" for zone in (1, 2, 3)] for octet in (10, 20))
    between_nodes = {(cidr, "all", "all") for cidr in application}

    assert acl(stack, "public", "ingress") == {(anywhere, 443, 443), (anywhere, 80, 80), (anywhere, *answers)}
    assert acl(stack, "public", "egress") == {(anywhere, 443, 443), (anywhere, *answers)}
    assert acl(stack, "application", "ingress") == {(anywhere, *answers)} | between_nodes
    assert acl(stack, "application", "egress") == ({(anywhere, 443, 443), (vpc, *answers)} | between_nodes | {(cidr, 5432, 5432) for cidr in database})
    assert acl(stack, "database", "ingress") == {(cidr, 5432, 5432) for cidr in application}
    assert acl(stack, "database", "egress") == {(cidr, *answers) for cidr in application}
