"""How the log is written: events with fields, to stderr, as JSON lines or as text for people."""

import logging
import sys

import structlog

from fairlead.config import LogConfig


def configure(config: LogConfig) -> None:
    """Set the log up for the whole process; call it once, before the parts are built."""
    level = logging.getLevelNamesMapping()[config.level.upper()]
    is_text = config.format == "text"
    renderer: structlog.typing.Processor
    if is_text:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if is_text else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr)
