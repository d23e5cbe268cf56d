#!/usr/bin/env bash
# DevStack plugin of cyborg-spdk: installs the package beside Cyborg, writes
# its options into Cyborg's configuration, and stops the targets at unstack.

CYBORG_SPDK_PLUGIN_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CYBORG_SPDK_STATE_DIR=${CYBORG_SPDK_STATE_DIR:-$DATA_DIR/cyborg-spdk}
# What the privileged helper goes by: root's, which Cyborg's file is not here.
CYBORG_SPDK_PRIVILEGED_CONF=/etc/cyborg_spdk/privileged.conf

# The file that the agent reads; Cyborg's own plugin has had two names for it.
function cyborg_spdk_conf {
    echo "${CYBORG_CONF:-${CYBORG_CONF_FILE:-/etc/cyborg/cyborg.conf}}"
}

function install_cyborg_spdk {
    setup_package "$CYBORG_SPDK_PLUGIN_DIR"
}

# Usage: cyborg_spdk_options CONF [-sudo]
function cyborg_spdk_options {
    local conf=$1 sudo=${2:-}
    iniset $sudo "$conf" spdk spdk_dir "$CYBORG_SPDK_DIR"
    iniset $sudo "$conf" spdk state_path "$CYBORG_SPDK_STATE_DIR"
    iniset $sudo "$conf" spdk run_path "$CYBORG_SPDK_RUN_DIR"
    iniset $sudo "$conf" spdk socket_group "$(id -gn "$STACK_USER")"
    iniset $sudo "$conf" spdk_nvmf core_mask "$CYBORG_SPDK_NVMF_CORES"
    iniset $sudo "$conf" spdk_vhost core_mask "$CYBORG_SPDK_VHOST_CORES"
}

function configure_cyborg_spdk {
    local conf
    conf=$(cyborg_spdk_conf)
    sudo install -d -m 0750 -o "$STACK_USER" "$CYBORG_SPDK_STATE_DIR"
    if [[ -z "$SPDK_DIR" ]]; then
        CYBORG_SPDK_DIR=$CYBORG_SPDK_STATE_DIR/simulated
        CYBORG_SPDK_RUN_DIR=$CYBORG_SPDK_STATE_DIR/run
        sudo install -d -m 0750 -o "$STACK_USER" "$CYBORG_SPDK_RUN_DIR"
        cyborg-spdk simulate install "$CYBORG_SPDK_DIR"
    else
        CYBORG_SPDK_DIR=$SPDK_DIR
        CYBORG_SPDK_RUN_DIR=/run/cyborg-spdk
        sudo install -d -m 0755 "$(dirname "$CYBORG_SPDK_PRIVILEGED_CONF")"
        cyborg_spdk_options "$CYBORG_SPDK_PRIVILEGED_CONF" -sudo
        iniset "$conf" spdk privsep_helper_command \
            "sudo -n $(command -v cyborg-spdk-privileged)"
    fi
    iniset "$conf" agent enabled_drivers "$CYBORG_SPDK_DRIVERS"
    cyborg_spdk_options "$conf"
}

# The targets outlive the agent; those that it has started go with the stack.
function stop_cyborg_spdk {
    local conf
    conf=$(cyborg_spdk_conf)
    if [[ -e "$conf" ]] && command -v cyborg-spdk >/dev/null; then
        cyborg-spdk --config-file "$conf" target stop || true
    fi
}

function cleanup_cyborg_spdk {
    stop_cyborg_spdk
    sudo rm -rf "$CYBORG_SPDK_STATE_DIR"
    if [[ -n "$SPDK_DIR" ]]; then
        sudo rm -f "$CYBORG_SPDK_PRIVILEGED_CONF"
    fi
}

if is_service_enabled cyborg-agent; then
    if [[ "$1" == "stack" && "$2" == "install" ]]; then
        install_cyborg_spdk
    elif [[ "$1" == "stack" && "$2" == "post-config" ]]; then
        configure_cyborg_spdk
    elif [[ "$1" == "unstack" ]]; then
        stop_cyborg_spdk
    elif [[ "$1" == "clean" ]]; then
        cleanup_cyborg_spdk
    fi
fi
