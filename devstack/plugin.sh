#!/usr/bin/env bash
# DevStack plugin of cyborg-spdk: installs the package beside Cyborg and
# writes its options into Cyborg's configuration.

CYBORG_SPDK_PLUGIN_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CYBORG_SPDK_STATE_DIR=${CYBORG_SPDK_STATE_DIR:-$DATA_DIR/cyborg-spdk}

function install_cyborg_spdk {
    setup_package "$CYBORG_SPDK_PLUGIN_DIR"
}

function configure_cyborg_spdk {
    local dir=$SPDK_DIR
    if [[ -z "$dir" ]]; then
        dir=$CYBORG_SPDK_STATE_DIR/simulated
        cyborg-spdk simulate install "$dir"
    fi
    sudo install -d -m 0750 -o "$STACK_USER" \
        "$CYBORG_SPDK_STATE_DIR" "$CYBORG_SPDK_STATE_DIR/run"
    iniset "$CYBORG_CONF_FILE" agent enabled_drivers "$CYBORG_SPDK_DRIVERS"
    iniset "$CYBORG_CONF_FILE" spdk spdk_dir "$dir"
    iniset "$CYBORG_CONF_FILE" spdk state_path "$CYBORG_SPDK_STATE_DIR"
    iniset "$CYBORG_CONF_FILE" spdk run_path "$CYBORG_SPDK_STATE_DIR/run"
    iniset "$CYBORG_CONF_FILE" spdk_nvmf core_mask "$CYBORG_SPDK_NVMF_CORES"
    iniset "$CYBORG_CONF_FILE" spdk_vhost core_mask "$CYBORG_SPDK_VHOST_CORES"
}

if is_service_enabled cyborg-agent; then
    if [[ "$1" == "stack" && "$2" == "install" ]]; then
        install_cyborg_spdk
    elif [[ "$1" == "stack" && "$2" == "post-config" ]]; then
        configure_cyborg_spdk
    elif [[ "$1" == "clean" ]]; then
        sudo rm -rf "$CYBORG_SPDK_STATE_DIR"
    fi
fi
