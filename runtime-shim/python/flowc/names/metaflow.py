"""What `import metaflow` finds in an interpreter that user code started, if Metaflow is not installed.

Such an interpreter imports the flow file to find its functions; it runs no step.
"""

from flowc import modules

# Replaces this module: `import` looks for what it hands out after it was executed.
modules.install()
