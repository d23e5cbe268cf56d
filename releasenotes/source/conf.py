# SPDX-License-Identifier: Apache-2.0

"""Sphinx configuration of the release notes."""

extensions = ['openstackdocstheme', 'reno.sphinxext']

openstackdocs_repo_name = 'cyborg-spdk'
openstackdocs_auto_name = False
openstackdocs_use_storyboard = False

project = 'cyborg-spdk release notes'
copyright = 'the cyborg-spdk developers'  # noqa: A001
root_doc = 'index'
exclude_patterns = []
html_theme = 'openstackdocs'
