# SPDX-License-Identifier: Apache-2.0

"""Sphinx configuration of the documentation."""

extensions = [
    'sphinx.ext.autodoc',
    'openstackdocstheme',
    'oslo_config.sphinxext',
    'oslo_config.sphinxconfiggen',
    'cliff.sphinxext',
]

config_generator_config_file = [
    ('../../etc/oslo-config-generator/cyborg_spdk.conf',
     '_static/cyborg_spdk'),
]

openstackdocs_repo_name = 'cyborg-spdk'
openstackdocs_auto_name = False
openstackdocs_use_storyboard = False
openstackdocs_pdf_link = False

project = 'cyborg-spdk'
copyright = 'the cyborg-spdk developers'  # noqa: A001
root_doc = 'index'
exclude_patterns = []
html_theme = 'openstackdocs'
html_static_path = ['_static']
html_css_files = ['narrow.css']
# Written anew by ``tox -e man``, and installed by the package.
man_pages = [('cli/index', 'cyborg-spdk', 'SPDK as accelerators of OpenStack',
              ['the cyborg-spdk developers'], 1)]
pygments_style = 'native'
autodoc_member_order = 'bysource'
# Options and commands are to be copied: no typographic dashes and quotes.
smartquotes = False
suppress_warnings = ['config.cache']
