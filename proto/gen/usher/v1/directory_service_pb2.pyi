from usher.v1 import change_pb2 as _change_pb2
from usher.v1 import edit_pb2 as _edit_pb2
from usher.v1 import end_user_pb2 as _end_user_pb2
from usher.v1 import membership_pb2 as _membership_pb2
from usher.v1 import model_pb2 as _model_pb2
from usher.v1 import organization_pb2 as _organization_pb2
from usher.v1 import team_pb2 as _team_pb2
from usher.v1 import usage_pb2 as _usage_pb2
from usher.v1 import user_pb2 as _user_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
