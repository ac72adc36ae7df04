"""Templates that users bring: a YAML file, loaded to the same `Template` as the bundled ones.

`loaded` reads a file, `template_of` gives the template of a release, `problems` finds what is wrong with one.
See docs/how-to/bring-a-template.md.
"""

from judgestream.template_files.building import loaded, template_of
from judgestream.template_files.checking import problems

__all__ = ["loaded", "problems", "template_of"]
