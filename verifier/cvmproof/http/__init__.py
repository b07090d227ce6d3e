"""What every HTTP client of ours shares: the address rules, one deadline over a request, bounded bodies, repetition.

No redirect is followed, nothing compressed is taken, no cookie kept, no proxy or certificate setting read from the
environment. Modules that import httpx or stamina are imported where something is fetched.
"""
