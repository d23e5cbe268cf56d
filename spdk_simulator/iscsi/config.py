# SPDX-License-Identifier: Apache-2.0

"""The calls that make the state of the iSCSI target again."""

from spdk_simulator.bdev import common


def calls(target):
    """Write them."""
    release = target.release
    layer = target.iscsi

    def call(method, params):
        return {"method": common.name(release, method), "params": params}

    result = [call("iscsi_set_options", layer.shown_options())]
    result += [call("iscsi_create_portal_group", group.facts(release))
               for group in layer.portal_groups.values()]
    result += [call("iscsi_create_initiator_group", group.facts(release))
               for group in layer.initiator_groups.values()]
    for node in layer.nodes.values():
        result.append(call("iscsi_create_target_node", node.facts(release)))
        if node.histogram:
            result.append(call("iscsi_enable_histogram",
                               {"name": node.name, "enable": True}))
    result += [call("iscsi_create_auth_group",
                    {"tag": tag, "secrets": list(secrets)})
               for tag, secrets in layer.auth_groups.items()]
    return result
