def instead(owner, name):
    """Decorator: calls the function instead of a method, with that method and its arguments."""

    def wrap(function):
        method = getattr(owner, name)
        setattr(owner, name, lambda *args, **given: function(method, *args, **given))

    return wrap
