# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

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
pygments_style = 'native'
autodoc_member_order = 'bysource'
suppress_warnings = ['config.cache']
