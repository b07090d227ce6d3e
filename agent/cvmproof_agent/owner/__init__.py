"""The device owner: a small process of root's with the device and without network, and how its front asks it.

Entries of configfs-tsm belong to root (mode 0200, Linux drivers/virt/coco), so what opens them is root; what terminates
TLS should not be. docs/deployment.md
"""
