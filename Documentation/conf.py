# SPDX-License-Identifier: GPL-2.0
#
# Sphinx's configuration, for "make htmldocs".  NB_LINUX is the kernel's source, of which
# the extension for kernel-doc and the script are used (selftests/vm/source); NB_EXTRA is a
# folder with what was drawn before (Documentation/plots).

import os
import sys

linux = os.environ['NB_LINUX']
top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(linux, 'Documentation', 'sphinx'))
# The extension is no part of the tree, and its folder may not be ours to write to.
sys.dont_write_bytecode = True

project = 'net_backend'
copyright = 'the authors of net_backend'

extensions = ['kerneldoc', 'sphinx.ext.graphviz']
kerneldoc_bin = os.path.join(linux, 'scripts', 'kernel-doc')
kerneldoc_srctree = top
graphviz_output_format = 'svg'

exclude_patterns = ['man', 'netlink']
primary_domain = 'c'
highlight_language = 'none'
smartquotes = False

html_theme = 'alabaster'
html_theme_options = {
    'description': 'The host half of a virtual NIC',
    'page_width': '1080px',
    'sidebar_width': '240px',
    'fixed_sidebar': False,
}
html_sidebars = {'**': ['about.html', 'navigation.html', 'localtoc.html', 'searchbox.html']}
html_extra_path = [os.environ['NB_EXTRA']]
html_copy_source = False
html_show_sphinx = False
