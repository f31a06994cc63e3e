"""One module for each framework; importing one without its extra names the install command.

``fastapi`` (and Starlette), ``flask``, ``celery``. ``problems`` and ``streams`` need no framework.
"""
