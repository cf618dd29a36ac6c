"""The model that is trained: where weights lie, how a policy is opened and exported, the engines that
generate with it.
"""
