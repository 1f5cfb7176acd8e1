"""`IncludeFile`: a parameter whose value is what a file holds."""

import os
import sys

from .exceptions import MetaflowException
from .parameters import Parameter, context_of


class IncludeFile(Parameter):
    """A file's contents as a parameter; what is given on the command line is its path."""

    def __init__(
        self,
        name,
        required=None,
        is_text=None,
        encoding=None,
        help=None,
        parser=None,
        default=None,
        show_default=None,
        **options
    ):
        super().__init__(
            name,
            default=default,
            type=str,
            help=help,
            required=required,
            show_default=show_default,
            **options
        )
        self.is_text = is_text
        self.encoding = encoding
        self.parser = parser

    def settle(self, resolved, unpacked):
        """Evaluates the options that wait for configurations."""
        super().settle(resolved, unpacked)
        for name in ("is_text", "encoding"):
            if getattr(self, name) is None:
                setattr(self, name, self.kwargs.pop(name, None))
            setattr(self, name, resolved(getattr(self, name)))

    def contents(self, path, flow_name, user_name, store_kind):
        """The text or bytes of the file that was named, else of the default; None where there is neither."""
        if path is None:
            path = self.default
            if callable(path):
                path = path(context_of(self, flow_name, user_name, store_kind))
        if path is None:
            return None
        try:
            with open(_found(path), "rb") as file:
                data = file.read()
        except OSError as error:
            raise MetaflowException(
                "IncludeFile: could not open file '%s' of the parameter `%s`: %s"
                % (path, self.name, error.strerror)
            ) from None
        if self.is_text is False:
            return data
        try:
            text = data.decode(self.encoding or "utf-8")
        except UnicodeDecodeError as error:
            raise MetaflowException(
                "IncludeFile: file '%s' of the parameter `%s` is no text: %s"
                % (path, self.name, error)
            ) from None
        # As every text file that Python opens, and so as in Metaflow.
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def wrap(self, value):
        """What user code sees of the contents."""
        if value is None or self.parser is None:
            return value
        from .configs import parser_of

        try:
            return parser_of(self.parser)(value)
        except Exception as error:
            raise MetaflowException(
                "Failed to parse content in parameter '%s' using parser: %s" % (self.name, error)
            ) from error


def _found(path):
    """A path as it is typed, else below the folder of the flow file."""
    path = os.path.expanduser(path)
    if os.path.isabs(path) or os.path.exists(path):
        return path
    return os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), path)
