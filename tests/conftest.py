"""Every shape that a signature promises is checked while the tests run."""

from jaxtyping import install_import_hook

from tests import typecheck as typecheck  # the hook finds it by name

install_import_hook("sinefield", "tests.typecheck.check")
