"""Tools as people have them, their schemas, a run's own tools.

They come from Python functions, OpenAI and OpenAPI files, and MCP servers.
"""
