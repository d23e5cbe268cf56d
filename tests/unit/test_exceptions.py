# SPDX-License-Identifier: Apache-2.0

import pickle

import testtools

from cyborg_spdk import exceptions


class TestRpcError(testtools.TestCase):

    # As recorded from real targets: (code, message) -> class.
    CASES = [
        (-32601, 'Method not found', exceptions.MethodNotFound),
        (-32602, 'Invalid parameters', exceptions.InvalidParams),
        (-32603, 'spdk_json_decode_object failed',
         exceptions.InternalError),
        (-32600, 'Invalid request', exceptions.InvalidRequest),
        (-19, 'No such device', exceptions.NotFound),
        (-2, 'No such file or directory', exceptions.NotFound),
        (-17, 'File exists', exceptions.AlreadyExists),
        (-114, 'A controller named Nvme0 already exists with the specified '
         'network path\n', exceptions.AlreadyExists),
        (-1, 'Operation not permitted', exceptions.PermissionDenied),
        (-1, 'Method may only be called after framework is initialized '
         'using framework_start_init RPC.', exceptions.NotReady),
        (-22, 'Invalid argument', exceptions.InvalidParams),
        # The same words in v18.07 to v20.07 (lib/rpc/rpc.c).
        (-1, 'Method is allowed in any state in the mask (2), but current '
         'state is (1)', exceptions.NotReady),
        (-95, 'Operation not supported', exceptions.NotSupported),
        (-108, 'Cannot send after transport endpoint shutdown',
         exceptions.TargetStopping),
        # vhost answers -32602 whatever the cause, and tells it in the text.
        (-32602, 'Device or resource busy', exceptions.Busy),
        (-32602, 'File exists', exceptions.AlreadyExists),
        (-32602, 'No such device', exceptions.NotFound),
        (-32602, 'No space left on device', exceptions.NoSpace),
        # v22.01 sends some errno values without their sign.
        (19, 'raid bdev nosuch is not found in config',
         exceptions.NotFound),
        (22, 'Controller nosuch does not exist', exceptions.InvalidParams),
        (-5, 'Input/output error', exceptions.RpcError),
    ]

    def test_the_class_fits_the_code_and_the_text(self):
        for code, message, cls in self.CASES:
            error = exceptions.rpc_error(code, message, 'm', {'a': 1})
            self.assertIs(cls, type(error), (code, message))

    def test_text_is_one_line_with_method_code_and_detail(self):
        error = exceptions.rpc_error(-114, 'there already\n', 'attach',
                                     detail='use another name')
        self.assertEqual('attach: there already (code -114): '
                         'use another name', str(error))

    def test_fields_are_kept(self):
        error = exceptions.rpc_error(-19, 'No such device', 'm', {'a': 1})
        self.assertEqual((-19, 'No such device', 'm', {'a': 1}),
                         (error.code, error.message, error.method,
                          error.params))


class TestTexts(testtools.TestCase):

    def test_start_error_tells_exit_code_and_log(self):
        error = exceptions.StartError('spdk_nvmf', 'it ended', 234,
                                      ['first', 'second'])
        self.assertEqual('spdk_nvmf: could not be started: it ended '
                         '(exit code 234); it last said: first | second',
                         str(error))

    def test_protocol_error_keeps_the_bytes(self):
        error = exceptions.ProtocolError('/x.sock', 'no JSON', b'\xff' * 999)
        self.assertEqual(200, len(error.data))
        self.assertNotIn('\n', str(error))


class TestMadeAnew(testtools.TestCase):
    """As oslo.privsep does with an error in the helper, and pickle."""

    ERRORS = (
        exceptions.InvalidValue('size', 7, 'too small'),
        exceptions.InvalidAddress('x:', 'no port'),
        exceptions.ConfigurationError('[spdk] x', 'y', 'correct it'),
        exceptions.ConnectError('/x', 'refused', errno=111),
        exceptions.ConnectionLost('/x', 'm', 'gone'),
        exceptions.OutcomeUnknown('/x', 'm', 'gone'),
        exceptions.RpcTimeout('/x', 'm', 1.5),
        exceptions.ProtocolError('/x', 'no JSON', b'<html>'),
        exceptions.RequestTooLarge('m', 3, 2, unit='JSON values'),
        exceptions.ReplyTooLarge('m', 3),
        exceptions.rpc_error(-19, 'No such device', 'm', {'a': 1}, 'why'),
        exceptions.NotInstalled('SPDK', ['/a', '/b'], 'install it'),
        exceptions.StartError('t', 'r', exit_code=1, log_tail=['a', 'b']),
        exceptions.PrivilegeError('no way'),
        exceptions.TaskError('a', 'cause'),
    )

    def test_the_same_text_and_fields(self):
        for error in self.ERRORS:
            for again in (type(error)(*error.args),
                          pickle.loads(pickle.dumps(error))):
                self.assertIs(type(error), type(again))
                self.assertEqual(str(error), str(again))
                self.assertEqual(vars(error), vars(again))
