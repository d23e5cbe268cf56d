# SPDX-License-Identifier: Apache-2.0

"""A made-up source tree in SPDK's style, in a git repository."""

import os
import subprocess

import fixtures

_HEAD = '''
/* SPDK_RPC_REGISTER("in_a_comment", rpc_none, SPDK_RPC_RUNTIME) */
struct rpc_thing { char *name; uint32_t size; };

static int
decode_names(const struct spdk_json_val *val, void *out)
{
    return spdk_json_decode_array(val, spdk_json_decode_string, out, 4,
                      &count, sizeof(char *));
}

static int
decode_mode(const struct spdk_json_val *val, void *out)
{
    if (spdk_json_strequal(val, "fast") == true) {
        *mode = 1;
    } else if (spdk_json_strequal(val, "safe") == true) {
        *mode = 2;
    } else {
        return -EINVAL;
    }
    return 0;
}
'''

_CREATE = '''
static const struct spdk_json_object_decoder rpc_create_decoders[] = {
    {"name", offsetof(struct rpc_thing, name), spdk_json_decode_string},
    {"size", offsetof(struct rpc_thing, size), spdk_json_decode_uint32, %s},
    %s
};

static void
rpc_thing_create(struct spdk_jsonrpc_request *request,
         const struct spdk_json_val *params)
{
    if (spdk_json_decode_object(params, rpc_create_decoders,
                    SPDK_COUNTOF(rpc_create_decoders),
                    &req)) {
        SPDK_ERRLOG("no\\n");
        goto invalid;
    }
    return;
invalid:
    spdk_jsonrpc_send_error_response(request,
                     SPDK_JSONRPC_ERROR_INTERNAL_ERROR,
                     "cannot " "decode");
}
SPDK_RPC_REGISTER("%s", rpc_thing_create, SPDK_RPC_RUNTIME)
'''

_OTHERS = '''
SPDK_RPC_REGISTER_ALIAS_DEPRECATED(thing_create, make_thing)

static void
list_things(struct spdk_jsonrpc_request *request,
        const struct spdk_json_val *values)
{
    if (values && spdk_json_decode_object_relaxed(values, list_decoders,
            SPDK_COUNTOF(list_decoders), &req)) {
        rc = -EINVAL;
        spdk_jsonrpc_send_error_response(request, rc,
                         spdk_strerror(-rc));
    }
}

static const struct spdk_json_object_decoder list_decoders[] = {
    {"names", offsetof(struct rpc_thing, name), decode_names, true},
};

static void
rpc_thing_list(struct spdk_jsonrpc_request *request,
           const struct spdk_json_val *params)
{
    list_things(request, params);
}
SPDK_RPC_REGISTER("thing_list", rpc_thing_list,
          SPDK_RPC_STARTUP | SPDK_RPC_RUNTIME)

static void
rpc_thing_count(struct spdk_jsonrpc_request *request,
        const struct spdk_json_val *params)
{
    if (params != NULL) {
        spdk_jsonrpc_send_error_response(request,
            SPDK_JSONRPC_ERROR_INVALID_PARAMS, "none, please");
        return;
    }
}
SPDK_RPC_REGISTER("thing_count", rpc_thing_count, SPDK_RPC_STARTUP)

static void
rpc_thing_free(struct spdk_jsonrpc_request *request,
           const struct spdk_json_val *params)
{
    spdk_jsonrpc_send_bool_response(request, true);
}
SPDK_RPC_REGISTER("thing_free", rpc_thing_free, SPDK_RPC_RUNTIME)
'''

_SCHEMA = '''
enums:
  - name: speed
    fields: [{name: slow, value: 1}, {name: quick, value: 2}]
methods:
  - name: thing_create
    params:
      - {name: name, type: string, required: true}
      - {name: size, type: uint32}
      - {name: speed, type: enum, class: speed}
      - {name: old, type: boolean, deprecated: true}
      - {name: quick, type: boolean}
'''

_MODE = ('{"mode", offsetof(struct rpc_thing, mode) + 2, decode_mode, '
         'true},')

# Its type has changed since.
_QUICK = ('{"quick", offsetof(struct rpc_thing, quick), '
          'spdk_json_decode_%s, true},')

_THING = 'lib/thing/thing_rpc.c'

#: Tag -> path -> content.
RELEASES = {
    'v18.01': {_THING: _HEAD + _CREATE % ('false', _QUICK % 'uint32',
                                           'make_thing')},
    'v22.01': {_THING: _HEAD + _CREATE % ('true', _MODE + _QUICK % 'bool',
                                           'thing_create')
               + _OTHERS},
    'v22.05-rc1': {_THING: ''},
    'v26.05': {
        # What the build generates is in no file of the repository.
        _THING: _HEAD + (_CREATE % ('true', '', 'thing_create')).partition(
            '};')[2].replace('rpc_create_decoders',
                             'rpc_thing_create_decoders') + _OTHERS,
        'include/spdk_internal/rpc_autogen.h.jinja2': 'x',
        'schema/schema.yaml': _SCHEMA},
}


class Repository(fixtures.Fixture):
    """A git repository with a tag for each release.

    :ivar path: its directory.
    """

    def _setUp(self):
        self.path = self.useFixture(fixtures.TempDir()).path
        self._git('init', '-q')
        for tag, files in RELEASES.items():
            for path, content in files.items():
                path = os.path.join(self.path, path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, 'w', encoding='ascii') as file:
                    file.write(content)
            self._git('add', '-A')
            self._git('-c', 'user.name=n', '-c', 'user.email=e@x', 'commit',
                      '-q', '-m', tag)
            self._git('tag', tag)

    def _git(self, *words):
        subprocess.run(['git', '-C', self.path, *words], check=True)
