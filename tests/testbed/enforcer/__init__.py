"""Enforces NetworkPolicies on the node of our own: watches them, renders them to nftables, applies them whole.

usage: python -m testbed.enforcer KUBECONFIG POD_CIDR, inside the cluster's network namespace

`world` reads the API's objects, `table` decides (pure), `nft` writes it down
(pure), `__main__` watches and applies.

A pod's traffic is judged by its address, where it is forwarded (the bridge hands packets to the filters of IP) and
where it goes to the node itself. What comes from the node passes: the kubelet's probes. A pod whose address the API
server has not been told yet reaches nobody and is reached by nobody: closed first, opened a moment later.
"""
